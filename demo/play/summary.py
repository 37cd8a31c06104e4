"""What happened, read from the records: the table at the end, and where the time went."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from demo.play.board import STAGES
from nakoming.agreement.local_time import ZONE, local_date
from nakoming.records import agreements, answers, case_runs, gates, outbox, proofs, steps
from nakoming.records.events import Event
from nakoming.records.timeline import ItemKind, timeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nakoming.records.cases import Case
    from nakoming.records.gate_model import AnswerRecord, Gate
    from nakoming.records.store import Records, Tx

    Entered = list[tuple[datetime, str]]

_SYSTEM = "Nakoming"
_SHORT = 20  # a fact that fits in a line of the table
_FACTS = {
    Event.RFC_RECEIVED: "Received, requester authorised",
    Event.RFC_CONFIRMED: "Request confirmed",
    Event.BUILD_MADE: "Artefact built",
    Event.TEST_FAILED: "Tests red: back to build",
    Event.TEST_PASSED: "Tests green",
    Event.BETA_INSTALLED: "Installed and verified",
    Event.PRODUCTION_INSTALLED: "Installed and verified",
    Event.DEPLOYMENT_FAILED: "Installation failed",
    Event.DEPLOYMENT_ROLLED_BACK: "Rolled back",
    Event.TERM_BREACHED: "A term was breached",
    Event.RFC_CLOSED: "Closed, customer told",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table. `evidence` is `chain:number`."""

    at: datetime
    stage: str
    what: str
    who: str
    evidence: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A case from its opening to its end; all durations in seconds.

    Attributes:
        stages: how long the case was in each stage, rounds added up.
        to_mailbox: median from a question's opening to its mail's arrival.
        to_answer: median from a question's opening to its answer.
        to_next_step: median from an answer to the next thing the flow did.
    """

    key: str
    outcome: str
    opened_at: datetime
    closed_at: datetime
    rows: tuple[Row, ...]
    stages: dict[str, float]
    to_mailbox: float
    to_answer: float
    to_next_step: float
    mails: int
    runs: int

    @property
    def seconds(self) -> float:
        """From opening to end."""
        return (self.closed_at - self.opened_at).total_seconds()

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON: instants in UTC, seconds to the hundredth."""
        data = _plain(asdict(self))
        return {**data, "seconds": round(self.seconds, 2)}


def summarise(records: Records, case: Case) -> Summary:
    """Read what happened in a case that has ended."""
    with records.read() as tx:
        done = steps.listed(tx, case.id)
        entered = _entered(done)
        rows = sorted((*_answers(tx, case), *_facts(tx, case, entered)), key=lambda row: row.at)
        asked = gates.of_case(tx, case.id)
        given = [answer for gate in asked for answer in answers.of_gate(tx, gate.id)]
        sent = outbox.of_case(tx, case.id)
        began = sorted(step.began_at for step in done)
        after = [next((at for at in began if at > answer.at), None) for answer in given]
        questions = [mail for mail in sent if mail.kind == "question" and mail.relayed_at]
        closed_at = case.closed_at or tx.now
        return Summary(
            key=case.key,
            outcome=case.outcome or str(case.state),
            opened_at=case.opened_at,
            closed_at=closed_at,
            rows=tuple(rows),
            stages=_stages(entered, closed_at),
            to_mailbox=_median(
                [(m.relayed_at - m.queued_at).total_seconds() for m in questions if m.relayed_at]
            ),
            to_answer=_median([(g.closed_at - g.opened_at).total_seconds() for g in asked if g.closed_at]),
            to_next_step=_median(
                [(at - a.at).total_seconds() for at, a in zip(after, given, strict=True) if at]
            ),
            mails=len(sent),
            runs=case_runs.count(tx, case.id),
        )


def as_table(summary: Summary) -> Table:
    """The table of what happened: stage, what, who decided, when, evidence number."""
    opened_on, closed_on = local_date(summary.opened_at), local_date(summary.closed_at)
    title = f"{summary.key}: {summary.outcome}, {closed_on} (times of Amsterdam)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, highlight=False)
    for heading in ("Stage", "What", "Who", "When", "Evidence"):
        table.add_column(heading, no_wrap=heading != "What")
    wall = "%H:%M:%S" if opened_on == closed_on else "%d-%m %H:%M:%S"
    before = ""
    for row in summary.rows:
        stage = STAGES.get(row.stage, row.stage)
        when = row.at.astimezone(ZONE).strftime(wall)
        table.add_row("" if stage == before else stage, escape(row.what), escape(row.who), when, row.evidence)
        before = stage
    return table


def _answers(tx: Tx, case: Case) -> Iterator[Row]:
    names = _names(tx, case)
    for gate in gates.of_case(tx, case.id):
        for answer in answers.of_gate(tx, gate.id):
            proof = proofs.find(tx, f"answer:{answer.id}", Event.GATE_ANSWERED)
            yield Row(
                at=answer.at,
                stage=gate.name.partition("/")[0],
                what=_what(gate, answer),
                who=names.get(answer.person, answer.person),
                evidence=f"{proof.chain}:{proof.seq}" if proof else "",
            )


def _what(gate: Gate, answer: AnswerRecord) -> str:
    texts = gate.question.texts["en"]
    label = texts["options"][answer.option] if answer.option else texts["verbs"][answer.verb]["label"]
    facts = (value for value in answer.facts.values() if len(value) <= _SHORT)
    return ": ".join((label, *facts))


def _names(tx: Tx, case: Case) -> dict[str, str]:
    sides = {
        case.customer: agreements.get(tx, case.customer).persons,
        "vendor": agreements.vendor(tx).persons,
    }
    return {f"{side}:{person.id}": person.name for side, persons in sides.items() for person in persons}


def _facts(tx: Tx, case: Case, entered: Entered) -> Iterator[Row]:
    """What Nakoming did and found, each in the stage that the case was in then."""
    for item in timeline(tx, case):
        what = _FACTS.get(Event(item.name)) if item.kind == ItemKind.EVIDENCE else None
        if what:
            stage = next((name for at, name in reversed(entered) if at <= item.at), "intake")
            yield Row(at=item.at, stage=stage, what=what, who=_SYSTEM, evidence=item.evidence or "")


def _entered(done: list[steps.StepRecord]) -> Entered:
    """When the case came into which stage; each round of one again."""
    return [(step.began_at, step.name.partition("/")[0]) for step in done if step.name.endswith("/stage")]


def _stages(entered: Entered, closed_at: datetime) -> dict[str, float]:
    """A stage lasts from its first step until the first step of the next."""
    spent: defaultdict[str, float] = defaultdict(float)
    ends = [at for at, _ in entered[1:]] + [closed_at]
    for (at, stage), end in zip(entered, ends, strict=True):
        spent[stage] += (end - at).total_seconds()
    return dict(spent)


def _median(seconds: list[float]) -> float:
    return median(seconds) if seconds else 0.0


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, 2)
    return value.isoformat() if hasattr(value, "isoformat") else value
