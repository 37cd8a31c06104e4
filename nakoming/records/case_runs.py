"""Which Prefect runs worked on a case: the newest one is resumed, or replaced when it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from nakoming.records import schema

if TYPE_CHECKING:
    from nakoming.records.store import Tx

_runs = schema.case_runs


def note(tx: Tx, case_id: str, run_id: str, deployment_id: str | None) -> None:
    """Note that a run works on a case; the same run a second time changes nothing."""
    if newest(tx, case_id) == run_id:
        return
    count = select(func.count()).select_from(_runs).where(_runs.c.case_id == case_id)
    row: dict[str, Any] = {
        "run_id": run_id,
        "case_id": case_id,
        "deployment_id": deployment_id,
        "number": tx.connection.execute(count).scalar_one() + 1,
        "started_at": tx.now,
    }
    tx.connection.execute(insert(_runs).values(row))


def newest(tx: Tx, case_id: str) -> str | None:
    """The run that worked on a case last."""
    c = _runs.c
    query = select(c.run_id).where(c.case_id == case_id).order_by(c.number.desc()).limit(1)
    found: str | None = tx.connection.execute(query).scalar_one_or_none()
    return found


def deployment_of(tx: Tx, case_id: str) -> str | None:
    """The deployment that the newest run of a case belongs to."""
    c = _runs.c
    query = select(c.deployment_id).where(c.case_id == case_id).order_by(c.number.desc()).limit(1)
    found: str | None = tx.connection.execute(query).scalar_one_or_none()
    return found


def case_of(tx: Tx, run_id: str) -> str | None:
    """The case a run worked on."""
    query = select(_runs.c.case_id).where(_runs.c.run_id == run_id)
    found: str | None = tx.connection.execute(query).scalar_one_or_none()
    return found


def count(tx: Tx, case_id: str) -> int:
    """How many runs worked on a case."""
    query = select(func.count()).select_from(_runs).where(_runs.c.case_id == case_id)
    return int(tx.connection.execute(query).scalar_one())


def of_case(tx: Tx, case_id: str) -> list[str]:
    """The runs that worked on a case, oldest first."""
    c = _runs.c
    query = select(c.run_id).where(c.case_id == case_id).order_by(c.number)
    return list(tx.connection.execute(query).scalars())
