"""What the Suite puts into its outbox, against the data contract of where it goes (S-4.2.1).

By the same statements that judge what comes in, so that a rule means the same in both directions. A row that
breaks one is a dead letter of its own order before anything is sent; no other order waits for it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text

from blocks.erp.protocol import Rows
from data_contracts.own import OUR_KEY
from tasks.erp import staging
from tasks.erp.interfaces import OUTBOUND, PRODUCTS, interface

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

    from tasks.erp.interfaces import Contracts, Interface

# What says nothing about one row by itself; and whether an order is there, the Suite and the ERP each know.
_NOT_JUDGED = frozenset({"duplicate", "overtaken", "reference"})


def refusals(connection: Connection, rows: Sequence[Row[Any]], own: Contracts = PRODUCTS) -> dict[int, str]:
    """Why rows of the outbox cannot go out, by their numbers; rows that can are not named.

    Args:
        connection: in a transaction that writes, of the Suite's database.
        rows: of the outbox.
        own: texts of the customer's own contracts, by interface.
    """
    found: dict[int, str] = {}
    judged: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for row in rows:
        read = _payload(row, own)
        if isinstance(read, str):
            found[row.id] = read
        else:
            judged[row.interface].append((row.id, read))
    for name, payloads in judged.items():
        found |= _broken(connection, interface(name, own), payloads)
    return found


def _payload(row: Row[Any], own: Contracts) -> dict[str, Any] | str:
    """The values of a row, or why there are none."""
    if row.interface not in OUTBOUND:
        return f"there is no interface '{row.interface}'; allowed: {', '.join(OUTBOUND)}"
    try:
        payload = json.loads(row.payload)
    except ValueError as error:
        return f"its payload is no JSON: {error}"
    if not isinstance(payload, dict):
        return "its payload is no JSON object"
    wanted = interface(row.interface, own)
    names = [each.field_name for each in wanted.contract.table.columns]
    if unknown := sorted(set(payload) - set(names)):
        return f"the contract has no column {unknown[0]}; allowed: {', '.join(sorted(names))}"
    return wanted.at_erp(payload)


def _judged(value: Any) -> Any:
    """An instant as the contract's rules read one: JSON has it with a T, and with its distance to UTC."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return value  # the contract says what is wrong with it
    return (at if at.tzinfo is None else at.astimezone(UTC)).strftime("%Y-%m-%d %H:%M:%S")


def _broken(
    connection: Connection,
    wanted: Interface,
    payloads: Sequence[tuple[int, Mapping[str, Any]]],
) -> dict[int, str]:
    for setting in wanted.settings(connection.dialect.name):
        connection.execute(text(setting))
    columns = wanted.column_names
    table = staging.create(connection, wanted.staging_name, columns, {})
    moments = {each.name for each in wanted.contract.table.columns if each.logical_type == "timestamp"}
    values = [
        tuple(_judged(each.get(name)) if name in moments else each.get(name) for name in columns)
        for _, each in payloads
    ]
    staging.fill(connection, table, [Rows(values)])
    # Staged rows are numbered as they came.
    numbers = connection.execute(select(table.c[staging.ROW_ID]).order_by(table.c[staging.ROW_ID])).scalars()
    ids = dict(zip(numbers, payloads, strict=True))
    # Filled in by the exchange: the Suite need not name it.
    filled = {each.name for each in wanted.contract.table.columns if each.field_name == OUR_KEY}
    rules: dict[int, list[str]] = defaultdict(list)
    for row_id, rule in connection.execute(wanted.violations(table, connection.dialect.name)):
        column, _, kind = rule.rpartition(".")
        if kind not in _NOT_JUDGED and column not in filled:
            rules[row_id].append(rule)
    staging.drop(connection, wanted.staging_name)
    found = {}
    for row_id, broken in rules.items():
        number, values = ids[row_id]
        words = {name: staging.as_text(value) for name, value in values.items()}
        found[number] = " ".join(wanted.reasons(broken, words)["en"])
    return found
