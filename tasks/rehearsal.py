"""A case walked in a forkserver before the first real one, so that no run is the first of its process.

What a first time costs (statements that SQLAlchemy compiles, agreements and texts that are parsed, modules
that are imported late) is paid once, on a database of its own in
a temporary folder that is gone before anything is forked; the installation's own database is not opened.
"""

from __future__ import annotations

import copy
import sqlite3
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from nakoming.agreement.gate_rules import Kind, Verb
from nakoming.agreement.loading import agreement_sha256
from nakoming.records import agreements, answers, cases, clock, gates, schema, wishes
from nakoming.records.gate_model import Given
from nakoming.records.keys import Keyring
from nakoming.records.store import Records
from nakoming.settings import Settings
from tasks import installation, process
from tasks.questions import desk_of
from tasks.steps import Work, repeat, step
from tasks.waits import CaseWaits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun

_MOST_AGREEMENTS = 40  # each takes 10 to 25 ms to read
_QUESTION = "rehearsal/question"


def rehearse() -> None:
    """Walk the case; keep settings and unopened records for the processes forked from this one."""
    settings = Settings()
    real = Records.from_settings(settings, pooled=True)
    with TemporaryDirectory(prefix="rehearsal-") as name:
        stage = _stage(real, Path(name))
        with _elsewhere(stage.engine, Path(name, "records.sqlite")):
            _play(stage, settings.agreements)
    installation.keep(settings, real)


def _stage(real: Records, folder: Path) -> Records:
    """Records of a temporary folder, with the engine of the real ones where that is SQLite's."""
    if real.engine.url.get_backend_name() == "sqlite":
        stage = copy.copy(real)
        stage.keys = Keyring(folder / "keys")
        stage.documents_folder = folder
        return stage
    return Records("sqlite://", keys=folder / "keys", documents=folder, pooled=True)


@contextmanager
def _elsewhere(engine: Engine, path: Path) -> Iterator[None]:
    """Let an engine open this file, and know nothing of it afterwards but its compiled statements."""

    def connect(*_: Any) -> sqlite3.Connection:
        return sqlite3.connect(path, check_same_thread=False)

    event.listen(engine, "do_connect", connect)
    try:
        yield
    finally:
        engine.dispose()
        event.remove(engine, "do_connect", connect)
        clock.forget(engine)


def _play(records: Records, folder: Path) -> None:
    """Ask, answer, go on: what a run does before and after a decision."""
    with records.write() as tx:
        schema.metadata.create_all(tx.connection)
    customer = _load(records, folder)
    if customer is None:
        return
    for _ in range(2):
        _enter(records, customer)
        _answer(records, customer)


def _load(records: Records, folder: Path) -> str | None:
    """Read the agreements as their runs will; the first customer."""
    files = sorted(folder.glob("*.yaml"))[:_MOST_AGREEMENTS]
    vendor = folder / f"{agreements.VENDOR}.yaml"
    with records.write() as tx:
        for path in {vendor, *files} if vendor.is_file() else ():
            text = path.read_text(encoding="utf-8")
            agreements.store(tx, path.stem, text, agreement_sha256(text))
        customers = agreements.customers(tx)
        for customer in customers:
            agreements.get(tx, customer)
    return customers[0] if customers else None


def _enter(records: Records, customer: str) -> None:
    with records.write() as tx:
        run = process.take(tx, _PROCESS, customer, "rehearsal", {}, "rehearsal")
    if isinstance(run, process.Joined):
        return
    try:
        outcome = _PROCESS.walk(run)
    except CaseWaits as waits:
        with records.write() as tx:
            cases.wait(tx, run.lease, waits.waits_for)
        return
    with records.write() as tx:
        cases.close(tx, run.lease, outcome)


def _answer(records: Records, customer: str) -> None:
    with records.write() as tx:
        case = cases.find(tx, _PROCESS.kind, customer, "rehearsal")
        if case is None or case.state == cases.State.CLOSED:
            return
        gate = gates.find(tx, case.id, _QUESTION)
        person = gate.rule.seats[0].persons[0]
        answers.give(tx, gate.id, Given(person=person, verb="approve", shown_digest=gate.shown_digest))
        wishes.of_case(tx, case.id)


def _walk(case: CaseRun) -> str:
    case.agreement()
    case.stage("rehearsal")
    case.now("rehearsal/begun")
    case.ask(_QUESTION, lambda tx: _question(tx, case))
    answer = case.answer(_QUESTION)
    return case.do("rehearsal/step", _nothing, by=answer.decided_by[0])


def _question(tx: Tx, case: CaseRun) -> GateSpec:
    here = desk_of(tx, case)
    seats = here.customer_seats("functional_administrator")
    words = {"reference": "–", "title": "–", "description": "–", "requester": "–", "customer_name": "–"}
    verbs = (Verb.APPROVE, Verb.REFUSE)
    due = here.their_right("lead_times.intake_confirmation")
    return here.gate(_QUESTION, Kind.APPROVAL, seats, "intake", words, verbs=verbs, due=due, label="–")


@step(doubt=repeat("it changes nothing"), timeout=timedelta(seconds=5))
def _nothing(work: Work, *, by: str) -> str:
    return f"{work.name} by {by}"


_PROCESS = process.Process(kind="rehearsal", revision=1, walk=_walk)
