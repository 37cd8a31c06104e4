"""The ERP's tables and what it does by itself; the SQL lies beside this module.

The ERP gives every changed row a version and the time, applies a status that comes in, and refuses
registrations on orders it has closed.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import column, inspect, table

if TYPE_CHECKING:
    from sqlalchemy import Connection

erp_orders = table(
    "erp_orders",
    *map(column, ("order_no", "item_no", "description", "qty", "due_date", "deleted", "row_version")),
)
erp_operations = table("erp_operations", column("order_no"))
erp_materials = table("erp_materials", column("order_no"))
erp_status_in = table("erp_status_in")
erp_hours_in = table(
    "erp_hours_in",
    *map(column, ("order_no", "op_no", "employee", "worked_on", "minutes", "external_key")),
)
erp_materials_in = table("erp_materials_in")
suite_keys = table("suite_keys")
erp_closed_orders = table("erp_closed_orders", column("order_no"))

TABLES: Final = (
    erp_orders,
    erp_operations,
    erp_materials,
    erp_status_in,
    erp_hours_in,
    erp_materials_in,
    suite_keys,
    erp_closed_orders,
)
_DROP_RULES: Final = {
    "postgresql": (
        "DROP SEQUENCE IF EXISTS erp_row_versions",
        "DROP FUNCTION IF EXISTS erp_queue, erp_touch, erp_apply_status, erp_refuse_closed",
    ),
    "sqlite": ("DROP TABLE IF EXISTS erp_row_versions",),
}


def stands(connection: Connection) -> bool:
    """Whether there is an ERP."""
    return inspect(connection).has_table(erp_orders.name)


def create_tables(connection: Connection) -> None:
    """The tables alone, so that filling them is fast."""
    _run(connection, "tables.sql")


def bring_to_life(connection: Connection, last_version: int) -> None:
    """What makes filled tables an ERP: indices, row versions above `last_version`, its own rules."""
    _run(connection, "indices.sql")
    _run(connection, f"rules_{connection.dialect.name}.sql")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT setval('erp_row_versions', %s)", (last_version,))
    else:
        connection.exec_driver_sql("UPDATE erp_row_versions SET last = ?", (last_version,))


def drop(connection: Connection) -> None:
    """Everything of an ERP, and nothing else."""
    for each in TABLES:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {each.name}")
    for statement in _DROP_RULES[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def _run(connection: Connection, name: str) -> None:
    """Carry out a file of SQL in the caller's transaction."""
    script = Path(__file__).with_name(name).read_text(encoding="utf-8")
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        driver.execute(script)
        return
    # SQLite's own way to run a script would commit first, so each statement is taken by itself.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            driver.execute(statement)
            statement = ""
