"""An installation in a folder of its own, with the demo's agreements; cases walked in this process."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nakoming.agreement.loading import agreement_sha256
from nakoming.records import agreements, answers, cases, documents, gates, migrate, outbox, steps
from nakoming.records.gate_model import Gate, GateState, Given
from nakoming.records.owners import this_process
from nakoming.records.store import Records
from tasks import installation
from tasks.case_run import CaseRun
from tasks.waits import CaseWaits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from tasks.process import Process

AGREEMENTS = Path(__file__).parents[2] / "agreements"


def load_agreements(records: Records, **changes: dict[str, str]) -> None:
    """Load the demo's agreements; `changes` names a customer and the words to replace in its file."""
    with records.write() as tx:
        for path in sorted(AGREEMENTS.glob("*.yaml")):
            text = path.read_text(encoding="utf-8")
            for before, after in changes.get(path.stem, {}).items():
                assert before in text, f"{before!r} is not in {path.name}"
                text = text.replace(before, after)
            agreements.store(tx, path.stem, text, agreement_sha256(text))


def backed_up_as(customer: str, group: str) -> dict[str, str]:
    """What to replace in the agreement of a customer of the demo so that `group` is its backup; "": none."""
    text = (AGREEMENTS / f"{customer}.yaml").read_text(encoding="utf-8")
    there = re.search(r"^backup:\n(?:  .*\n)+", text, re.MULTILINE)
    return {there[0]: group} if there else {"lead_times:\n": f"{group}lead_times:\n"}


@contextmanager
def installed(
    home: Path, url: str, monkeypatch: pytest.MonkeyPatch, **changes: dict[str, str]
) -> Iterator[Records]:
    """An installation that the tasks of this process work for."""
    monkeypatch.setenv("NAKOMING_HOME", str(home))
    monkeypatch.setenv("NAKOMING_RECORDS_URL", url)
    for cached in (installation.settings, installation.records):
        cached.cache_clear()
    migrate.upgrade(Records.from_settings(installation.settings()))
    records = installation.records()
    load_agreements(records, **changes)
    try:
        yield records
    finally:
        records.engine.dispose()
        for cached in (installation.settings, installation.records):
            cached.cache_clear()


@dataclass
class Walker:
    """Enters a process again and again, as its runs would, and answers its questions."""

    records: Records
    process: Process
    customer: str
    subject: str
    parameters: dict[str, Any]
    entries: list[list[dict[str, Any]]] = field(default_factory=list)
    run: Callable[..., CaseRun] = CaseRun

    def enter(self) -> str | None:
        """One run: the outcome when the case ended, nothing when it waits."""
        with self.records.write() as tx:
            opened = cases.open_case(
                tx,
                self.process.kind,
                self.customer,
                self.subject,
                agreement_version=agreements.newest_version(tx, self.customer),
                flow_revision=self.process.revision,
                parameters=self.parameters,
            )
            lease = cases.acquire(tx, opened.case.id, this_process())
            done = steps.finished(tx, opened.case.id, self.customer)
            run = self.run(self.records, lease, cases.get(tx, opened.case.id), done, done_before=len(done))
        try:
            outcome = self.process.walk(run)
        except CaseWaits as waits:
            with self.records.write() as tx:
                cases.wait(tx, lease, waits.waits_for)
            self.entries.append(waits.waits_for)
            return None
        with self.records.write() as tx:
            cases.close(tx, lease, outcome)
        return outcome

    def step_names(self) -> list[str]:
        """The steps that are finished, in the order in which they began."""
        with self.records.read() as tx:
            return [step.name for step in steps.listed(tx, self.case.id) if step.finished_at]

    @property
    def case(self) -> cases.Case:
        """The case as it stands."""
        with self.records.read() as tx:
            found = cases.find(tx, self.process.kind, self.customer, self.subject)
        assert found is not None
        return found

    def open_gates(self) -> list[Gate]:
        """What is asked now."""
        with self.records.read() as tx:
            return [gate for gate in gates.of_case(tx, self.case.id) if gate.state == GateState.OPEN]

    def gate(self, name: str) -> Gate:
        """A gate of the case."""
        with self.records.read() as tx:
            return gates.find(tx, self.case.id, name)

    def answer(self, name: str, verb: str, **given: Any) -> answers.Receipt:
        """The first person who is asked answers."""
        gate = self.gate(name)
        person = given.pop("person", gate.rule.seats[0].persons[0])
        with self.records.write() as tx:
            reply = Given(person=person, verb=verb, shown_digest=gate.shown_digest, **given)
            return answers.give(tx, gate.id, reply)

    def deliver(self, name: str, *texts: str, **facts: str) -> answers.Receipt:
        """The officer who is asked delivers documents (of these texts) and facts."""
        papers = tuple(
            self.document(f"{name.replace('/', '-')}-{n}.md", text) for n, text in enumerate(texts)
        )
        return self.answer(name, "deliver", documents=papers, facts=facts)

    def document(self, name: str, text: str) -> str:
        """Store a document of the customer."""
        stored = documents.add(self.records, self.customer, name, text.encode(), by="test")
        return stored.id

    def mails(self, kind: str | None = None) -> list[outbox.QueuedMail]:
        """The mails of the case."""
        with self.records.read() as tx:
            return [mail for mail in outbox.of_case(tx, self.case.id) if kind in {None, mail.kind}]
