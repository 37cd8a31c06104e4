"""What happened in a case, in order: plain data for the command, a page or an artifact."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from nakoming.records import answers, gates, outbox, schema, steps, wake_ups
from nakoming.records.waiting import Wait, most_urgent, waiting_overview, waits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nakoming.records.cases import Case
    from nakoming.records.gate_model import AnswerRecord, Gate
    from nakoming.records.outbox import QueuedMail
    from nakoming.records.store import Tx

__all__ = ["ItemKind", "TimelineItem", "Wait", "most_urgent", "timeline", "waiting_overview", "waits"]


class ItemKind(StrEnum):
    """What a line of a timeline tells of."""

    STEP = "step"
    GATE = "gate"
    ANSWER = "answer"
    MAIL = "mail"
    EVIDENCE = "evidence"
    WAKE_UP = "wake_up"


@dataclass(frozen=True, kw_only=True)
class TimelineItem:
    """One thing that happened. `evidence` is `chain:number` where it is proven by itself."""

    at: datetime
    kind: ItemKind
    name: str
    text: str
    evidence: str | None = None

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self) | {"at": self.at.isoformat(), "kind": str(self.kind)}


class _Proofs:
    """The evidence of a case, each piece told once: with what it proves, or on a line of its own."""

    def __init__(self, tx: Tx, case_id: str) -> None:
        query = select(schema.evidence).where(schema.evidence.c.case_id == case_id)
        self._rows = list(tx.connection.execute(query.order_by(schema.evidence.c.seq)))
        self._told: set[tuple[str, int]] = set()

    def last(self, about: str, *endings: str) -> str | None:
        """The last evidence about a thing whose event ends so."""
        for row in reversed(self._rows):
            if row.about == about and row.event.endswith(endings):
                self._told.add((row.chain, row.seq))
                return f"{row.chain}:{row.seq}"
        return None

    def rest(self) -> Iterator[TimelineItem]:
        for row in self._rows:
            if (row.chain, row.seq) not in self._told:
                clause = f" ({row.clause})" if row.clause else ""
                yield TimelineItem(
                    at=row.at,
                    kind=ItemKind.EVIDENCE,
                    name=row.event,
                    text=f"{row.event.rpartition(':')[2].replace('_', ' ')}{clause}",
                    evidence=f"{row.chain}:{row.seq}",
                )


def timeline(tx: Tx, case: Case) -> list[TimelineItem]:
    """All that happened in a case and all that is planned in it, oldest first."""
    proofs = _Proofs(tx, case.id)
    items: list[TimelineItem] = [*_steps(tx, case, proofs), *_mails(tx, case, proofs)]
    for gate in gates.of_case(tx, case.id):
        items += _gate(gate, proofs)
        for answer in answers.of_gate(tx, gate.id):
            items += _answer(gate, answer, proofs)
    items += [
        TimelineItem(at=each.at, kind=ItemKind.WAKE_UP, name=each.name, text=f"{each.label} ({each.kind})")
        for each in wake_ups.pending(tx, case.id)
    ]
    items += proofs.rest()
    return sorted(items, key=lambda item: (item.at, _number(item)))


def _number(item: TimelineItem) -> int:
    return int(item.evidence.rpartition(":")[2]) if item.evidence else 0


def _steps(tx: Tx, case: Case, proofs: _Proofs) -> Iterator[TimelineItem]:
    for step in steps.listed(tx, case.id):
        again = f", attempt {step.attempt}" if step.attempt > 1 else ""
        why = f": {step.error}" if step.error else ""
        proof = proofs.last(f"step:{step.id}", ":done", ":failed", ":doubted")
        yield TimelineItem(
            at=step.finished_at or step.began_at,
            kind=ItemKind.STEP,
            name=step.name,
            text=f"{_STEP_WORDS[step.state]}{again}{why}",
            evidence=proof,
        )


_STEP_WORDS = {
    steps.StepState.INTENT: "began, has no outcome yet",
    steps.StepState.DONE: "done",
    steps.StepState.FAILED: "failed",
}


def _gate(gate: Gate, proofs: _Proofs) -> Iterator[TimelineItem]:
    about = f"gate:{gate.id}"
    due = f", due by {_minute(gate.due_by)}" if gate.due_by else ""
    yield TimelineItem(
        at=gate.opened_at,
        kind=ItemKind.GATE,
        name=gate.name,
        text=f"{gate.kind} asked{due}",
        evidence=proofs.last(about, ":opened"),
    )
    if gate.closed_at is not None:
        by = f" by {', '.join(gate.decided_by)}" if gate.decided_by else ""
        choice = f" ({gate.option or gate.verb})" if gate.verb else ""
        yield TimelineItem(
            at=gate.closed_at,
            kind=ItemKind.GATE,
            name=gate.name,
            text=f"{gate.state}{choice}{by}",
            evidence=proofs.last(about, f":{gate.state}"),
        )
    if gate.consumed_at is not None:
        text = f"used for {gate.consumed_by}"
        proof = proofs.last(about, ":consumed")
        yield TimelineItem(at=gate.consumed_at, kind=ItemKind.GATE, name=gate.name, text=text, evidence=proof)


def _answer(gate: Gate, answer: AnswerRecord, proofs: _Proofs) -> Iterator[TimelineItem]:
    about = f"answer:{answer.id}"
    remark = f": {answer.remark}" if answer.remark else ""
    text = f"{answer.person} answered {answer.option or answer.verb} by {answer.via}{remark}"
    proof = proofs.last(about, ":answered")
    yield TimelineItem(at=answer.at, kind=ItemKind.ANSWER, name=gate.name, text=text, evidence=proof)
    if answer.retracted_at is not None:
        text = f"{answer.person} took {answer.option or answer.verb} back"
        proof = proofs.last(about, ":retracted")
        yield TimelineItem(
            at=answer.retracted_at, kind=ItemKind.ANSWER, name=gate.name, text=text, evidence=proof
        )


def _mails(tx: Tx, case: Case, proofs: _Proofs) -> Iterator[TimelineItem]:
    for mail in outbox.of_case(tx, case.id):
        proof = proofs.last(f"mail:{mail.id}", ":relayed", ":accepted", ":bounced", ":refused")
        at = mail.settled_at or mail.relayed_at or mail.queued_at
        yield TimelineItem(at=at, kind=ItemKind.MAIL, name=mail.kind, text=_mail_text(mail), evidence=proof)


def _mail_text(mail: QueuedMail) -> str:
    why = f": {mail.last_error}" if mail.last_error else ""
    return f"to {mail.recipient.name}: {mail.state}{why}"


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
