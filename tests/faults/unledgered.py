"""Damage on purpose: a ledger that forgets its effects, which whoever counts from outside must see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from nakoming.records import cases, schema, steps

if TYPE_CHECKING:
    from datetime import timedelta

    from nakoming.records.cases import Lease
    from nakoming.records.steps import Begun, Doubt
    from nakoming.records.store import Tx


def forget_effects() -> None:
    """From now on every effect of this process starts anew, whatever the ledger says of it."""
    remembered = steps.finished

    def finished(tx: Tx, case_id: str, customer: str) -> dict[str, tuple[str, Any]]:
        s = schema.steps.c
        effects = select(s.name).where(s.case_id == case_id, s.doubt != steps.Doubt.NONE)
        forgotten = set(tx.connection.execute(effects).scalars())
        return {
            name: found for name, found in remembered(tx, case_id, customer).items() if name not in forgotten
        }

    steps.finished = finished
    steps.begin = _begin  # type: ignore[assignment]


def _begin(
    tx: Tx, lease: Lease, name: str, given: str, *, doubt: Doubt, timeout: timedelta, consumes: Any = ()
) -> Begun:
    del consumes
    cases.fence(tx, lease)
    row = steps._locked(tx, lease, name)
    if row is None:
        return steps._first_intent(tx, lease, name, given, doubt, timeout)
    return steps._next_intent(tx, lease, row, given, timeout)
