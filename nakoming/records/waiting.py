"""What waits, for whom, until when: of one case, and of all of them at once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from nakoming.records import schema
from nakoming.records.case_model import LIVE, State
from nakoming.records.gate_model import GateState

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row, Select

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


class Urgent(NamedTuple):
    """The most urgent of all that waits, and how much waits in all."""

    waits: list[Wait]
    total: int


def waits(tx: Tx, case: Case) -> list[Wait]:
    """What a case waits for, the earliest deadline first."""
    which = _cases.c.id == case.id
    return _named(tx, _found(tx, which), _open_gates(which))


def waiting_overview(tx: Tx) -> list[Wait]:
    """What waits in all cases that have not ended: what is overdue first, then by deadline."""
    which = _cases.c.state.in_(LIVE)
    return _named(tx, _found(tx, which), _open_gates(which))


def most_urgent(tx: Tx, most: int) -> Urgent:
    """The first `most` of that overview; only theirs are the names that are unsealed."""
    found = _found(tx, _cases.c.state.in_(LIVE))
    shown = found[:most]
    return Urgent(_named(tx, shown, [gate_id for _, gate_id in shown if gate_id]), len(found))


_Found = list[tuple[Wait, str | None]]  # a wait without its names yet, and the gate they belong to


def _found(tx: Tx, which: ColumnElement[bool]) -> _Found:
    """Two queries, however many cases there are; questions and parameters stay sealed."""
    c, g = _cases.c, _gates.c
    columns = (c.id, c.kind, c.customer, c.subject, c.state, c.last_error, c.waits_for, c.opened_at)
    cases = tx.connection.execute(select(*columns).where(which, c.state != State.CLOSED)).all()
    asked = select(g.id, g.case_id, g.name, g.due_by, g.opened_at).where(g.id.in_(_open_gates(which)))
    gates: dict[str, list[Row[Any]]] = defaultdict(list)
    for gate in tx.connection.execute(asked):
        gates[gate.case_id].append(gate)
    found: _Found = []
    for case in cases:
        mine = gates.get(case.id, ())
        found += [(_wait(case, gate.name, (), gate.due_by, gate.opened_at), gate.id) for gate in mine]
        found += [(_other(case, each), None) for each in case.waits_for or () if "gate" not in each]
        if case.state in {State.STUCK, State.HELD}:
            found.append((_operator(case), None))
    return sorted(found, key=lambda each: _urgency(each[0]))


def _open_gates(which: ColumnElement[bool]) -> Select[tuple[str]]:
    g = _gates.c
    return select(g.id).join(_cases, _cases.c.id == g.case_id).where(which, g.state == GateState.OPEN)


def _named(tx: Tx, found: _Found, gates: Select[tuple[str]] | list[str]) -> list[Wait]:
    """With the names of those who have not answered yet; `gates` are those that are asked for."""
    a = _answers.c
    answered = select(a.gate_id, a.person).where(a.gate_id.in_(gates), a.retracted_at.is_(None))
    done = {(row.gate_id, row.person) for row in tx.connection.execute(answered)}
    names: dict[str | None, list[str]] = defaultdict(list)
    asked = select(_links).where(_links.c.gate_id.in_(gates)).order_by(_links.c.issued_at, _links.c.id)
    for link in tx.connection.execute(asked):
        if (link.gate_id, link.person) not in done:
            contact = tx.unseal(link.customer, f"link/{link.id}", link.contact_sealed)
            names[link.gate_id].append(contact["name"])
    return [replace(wait, for_whom=tuple(names[gate_id])) if gate_id else wait for wait, gate_id in found]


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


def _urgency(wait: Wait) -> tuple[Any, ...]:
    """By deadline: what is overdue lies before all that is not; what has none comes last, oldest first."""
    return (wait.until is None, wait.until or wait.since, wait.since, wait.key, wait.what)
