"""The urgency code of production orders; the orders that are there become normal ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Add the column; its default fills the rows that exist."""
    connection.exec_driver_sql(
        "ALTER TABLE production_orders ADD COLUMN urgency VARCHAR(8) NOT NULL DEFAULT 'normal'"
    )


def downgrade(connection: Connection) -> None:
    """Drop the column with what is in it."""
    connection.exec_driver_sql("ALTER TABLE production_orders DROP COLUMN urgency")
