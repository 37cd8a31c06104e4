"""A staged batch against its data contract: bad rows go to quarantine with the reason in words."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    String,
    Table,
    func,
    insert,
    select,
    text,
    update,
)

from tasks.erp import staging
from tasks.erp.bookkeeping import quarantine as quarantined
from tasks.erp.errors import BatchRefused

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Select

    from tasks.erp.interfaces import Interface

WAITING, SUPERSEDED = "waiting", "superseded"
OUT = "erp_staging_out"
_FEW = 1000
_SMALLEST_JUDGED = 20  # a share of a few rows says nothing


@dataclass(frozen=True)
class Checked:
    """The verdict on a batch.

    Attributes:
        staging: the batch.
        out_rows: which rows do not go on, and why.
        staged: how many rows came.
        out: how many do not go on: bad ones, and those that a newer row of the batch overtook.
        bad: how many of them are bad.
    """

    staging: Table
    out_rows: Table
    staged: int
    out: int
    bad: int

    @property
    def kept(self) -> int:
        """How many rows go on."""
        return self.staged - self.out

    def good(self, columns: list[Any]) -> Select[Any]:
        """What of the good rows goes on."""
        row_id = self.staging.c[staging.ROW_ID]
        if not self.out:
            return select(*columns).where(row_id.is_not(None))
        known = select(self.out_rows.c.row_id).where(self.out_rows.c.row_id == row_id)
        return select(*columns).where(~known.exists())


def check(connection: Connection, interface: Interface, table: Table, staged: int) -> Checked:
    """Judge a batch.

    Raises:
        BatchRefused: a greater share is bad than the contract allows; the caller rolls back.
    """
    for setting in interface.settings(connection.dialect.name):
        connection.execute(text(setting))
    out_rows = _out_rows(connection)
    verdict = interface.violations(table, connection.dialect.name)
    connection.execute(insert(out_rows).from_select(["row_id", "rule"], verdict))
    out = _rows(connection, out_rows)
    bad = _rows(connection, out_rows, out_rows.c.rule.in_(interface.counting_rules)) if out else 0
    limit = interface.bad_share_limit
    if bad and staged >= _SMALLEST_JUDGED and Decimal(bad) / staged > limit:
        raise BatchRefused(
            interface=interface.name,
            bad=bad,
            rows=staged,
            limit=f"{limit:%}",
            reason=_commonest(connection, interface, out_rows),
        )
    return Checked(table, out_rows, staged, out, bad)


def _rows(connection: Connection, out_rows: Table, *which: Any) -> int:
    counted = select(func.count(out_rows.c.row_id.distinct())).where(*which)
    return int(connection.execute(counted).scalar_one())


def _out_rows(connection: Connection) -> Table:
    staging.drop(connection, OUT)
    number = BigInteger().with_variant(Integer, "sqlite")
    out_rows = staging.temporary(
        OUT,
        Column("row_id", number, nullable=False, index=True),
        Column("rule", String(200), nullable=False),
    )
    out_rows.create(connection)
    return out_rows


def drop(connection: Connection) -> None:
    """Take the table of rows that do not go on away."""
    staging.drop(connection, OUT)


def _commonest(connection: Connection, interface: Interface, out_rows: Table) -> str:
    by_rule = select(out_rows.c.rule, func.count()).group_by(out_rows.c.rule)
    counting = out_rows.c.rule.in_(interface.counting_rules)
    counted = Counter(dict(map(tuple, connection.execute(by_rule.where(counting)))))
    rule, count = counted.most_common(1)[0]
    return f"{interface.title_of(rule)} ({count} rows)."


def quarantine(
    connection: Connection, interface: Interface, table: Table, checked: Checked, batch: int, at: datetime
) -> None:
    """Keep bad rows with their reasons; what waits for a key of this batch is settled by a newer version."""
    _supersede(connection, interface, table, at)
    if not checked.bad:
        return
    bad = checked.out_rows
    query = (
        select(table, bad.c.rule)
        .join_from(table, bad, bad.c.row_id == table.c[staging.ROW_ID])
        .where(bad.c.rule.in_(interface.counting_rules))
        .order_by(table.c[staging.ROW_ID], bad.c.rule)
    )
    rows: dict[int, dict[str, Any]] = {}
    broken: dict[int, list[str]] = {}
    for row in connection.execute(query).mappings():
        number = row[staging.ROW_ID]
        rows.setdefault(number, {name: staging.as_text(row[name]) for name in interface.column_names})
        broken.setdefault(number, []).append(row["rule"])
    kept = [
        {
            "interface": interface.name,
            "batch": batch,
            "key": interface.key_of(row),
            "reasons": json.dumps(interface.reasons(broken[number], row)),
            "row": json.dumps(row),
            "state": WAITING,
            "quarantined_at": at,
        }
        for number, row in rows.items()
    ]
    connection.execute(insert(quarantined), kept)


def _supersede(connection: Connection, interface: Interface, table: Table, at: datetime) -> None:
    q = quarantined.c
    query = select(q.key).where(q.interface == interface.name, q.state == WAITING).limit(_FEW + 1)
    waiting = connection.execute(query).scalars().all()
    if not waiting:
        return
    key = interface.source_key_text(table, connection.dialect.name)
    came = select(key).select_from(table)
    if len(waiting) <= _FEW:
        # Named one by one they sieve the batch; joined, a planner may read the batch once for each of them.
        newer: Any = connection.execute(came.where(key.in_(waiting))).scalars().all()
        if not newer:
            return
    else:
        newer = came
    settled = (
        update(quarantined)
        .where(q.interface == interface.name, q.state == WAITING, q.key.in_(newer))
        .values(state=SUPERSEDED, settled_at=at, settled_because="a newer version of the row came")
    )
    connection.execute(settled)
