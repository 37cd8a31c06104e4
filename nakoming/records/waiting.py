"""What waits, for whom, until when: of one case, and of all of them at once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from nakoming.records import schema
from nakoming.records.case_model import LIVE, State
from nakoming.records.gate_model import GateState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Row

    from nakoming.records.cases import Case
    from nakoming.records.store import Tx

_cases, _gates, _links, _answers = schema.cases, schema.gates, schema.links, schema.answers


@dataclass(frozen=True, kw_only=True)
class Wait:
    """What a case waits for, for whom, until when (none: nobody set a deadline) and since when."""

    key: str
    case_id: str
    what: str
    for_whom: tuple[str, ...]
    until: datetime | None
    since: datetime

    def is_overdue(self, now: datetime) -> bool:
        """Whether the deadline has passed at `now`."""
        return self.until is not None and now > self.until

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        until = self.until.isoformat() if self.until else None
        return asdict(self) | {
            "for_whom": list(self.for_whom),
            "until": until,
            "since": self.since.isoformat(),
        }


def waits(tx: Tx, case: Case) -> list[Wait]:
    """What a case waits for, the earliest deadline first."""
    return _waits(tx, _cases.c.id == case.id)


def waiting_overview(tx: Tx) -> list[Wait]:
    """What waits in all cases that have not ended: what is overdue first, then by deadline."""
    return _waits(tx, _cases.c.state.in_(LIVE))


def _waits(tx: Tx, which: ColumnElement[bool]) -> list[Wait]:
    """Four queries, however many cases there are; questions and parameters stay sealed."""
    c = _cases.c
    columns = (c.id, c.kind, c.customer, c.subject, c.state, c.last_error, c.waits_for, c.opened_at)
    cases = tx.connection.execute(select(*columns).where(which, c.state != State.CLOSED)).all()
    found: list[Wait] = []
    questions = _questions(tx, which)
    for case in cases:
        mine = questions.get(case.id, [])
        found += [_wait(case, gate.name, names, gate.due_by, gate.opened_at) for gate, names in mine]
        found += [_other(case, each) for each in case.waits_for or () if "gate" not in each]
        if case.state in {State.STUCK, State.HELD}:
            found.append(_operator(case))
    return _ordered(found)


def _questions(tx: Tx, which: ColumnElement[bool]) -> dict[str, list[tuple[Row[Any], tuple[str, ...]]]]:
    """The open gates of each case, with the names of those who have not answered yet."""
    g, a = _gates.c, _answers.c
    opened = select(g.id).join(_cases, _cases.c.id == g.case_id).where(which, g.state == GateState.OPEN)
    answered = select(a.gate_id, a.person).where(a.gate_id.in_(opened), a.retracted_at.is_(None))
    done = {(row.gate_id, row.person) for row in tx.connection.execute(answered)}
    names: dict[str, list[str]] = defaultdict(list)
    asked = select(_links).where(_links.c.gate_id.in_(opened)).order_by(_links.c.issued_at, _links.c.id)
    for link in tx.connection.execute(asked):
        if (link.gate_id, link.person) not in done:
            contact = tx.unseal(link.customer, f"link/{link.id}", link.contact_sealed)
            names[link.gate_id].append(contact["name"])
    by_case: dict[str, list[tuple[Row[Any], tuple[str, ...]]]] = defaultdict(list)
    columns = select(g.id, g.case_id, g.name, g.due_by, g.opened_at)
    for gate in tx.connection.execute(columns.where(g.id.in_(opened)).order_by(g.opened_at, g.name)):
        by_case[gate.case_id].append((gate, tuple(names[gate.id])))
    return by_case


def _other(case: Row[Any], wait: dict[str, Any]) -> Wait:
    until = datetime.fromisoformat(wait["until"]) if wait.get("until") else None
    what = str(wait.get("what") or wait.get("name") or "an instant")
    return _wait(case, what, tuple(wait.get("for_whom", ())), until, case.opened_at)


def _operator(case: Row[Any]) -> Wait:
    why = f": {case.last_error}" if case.state == State.STUCK and case.last_error else ""
    return _wait(case, f"{case.state}{why}", ("an operator",), None, case.opened_at)


def _wait(case: Row[Any], what: str, names: tuple[str, ...], until: datetime | None, since: datetime) -> Wait:
    key = f"{case.kind}/{case.customer}/{case.subject}"
    return Wait(key=key, case_id=case.id, what=what, for_whom=names, until=until, since=since)


def _ordered(found: Iterable[Wait]) -> list[Wait]:
    """By deadline: what is overdue lies before all that is not; what has none comes last, oldest first."""
    return sorted(found, key=lambda w: (w.until is None, w.until or w.since, w.since, w.key, w.what))
