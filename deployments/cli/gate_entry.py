"""Enters an answer that came by letter, telephone or e-mail, marked as such."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from deployments.cli import document_files, files, printing, waking
from deployments.cli.errors import FactMalformed, NotConfirmed, ReceivedWhen, ScanMissing
from deployments.cli.gate_view import described, find, link_of, print_question
from nakoming.agreement.local_time import local_date
from nakoming.records import answers, proofs
from nakoming.records.events import Event
from nakoming.records.gate_model import Given, Via
from tasks.installation import records

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from nakoming.records.answers import Receipt
    from nakoming.records.gate_model import Gate
    from nakoming.records.store import Tx

_ON_PAPER: Final = (Via.LETTER, Via.EMAIL)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What somebody enters for the person who answered."""

    person: str
    verb: str
    via: str
    received_on: date
    option: str | None = None
    remark: str = ""
    facts: tuple[str, ...] = ()
    documents: tuple[Path, ...] = ()
    scan: Path | None = None
    entered_by: str | None = None

    @property
    def enterer(self) -> str:
        """Who enters it."""
        return self.entered_by or files.login()


def answer(key: str, name: str, entry: Entry, *, confirmed: bool, as_json: bool) -> None:
    """Show what is asked, take the answer, print the receipt.

    Raises:
        PersonNotAsked: the person was not asked.
        ReceivedWhen: it cannot have come on that day.
        ScanMissing: a letter or e-mail without the file.
        FactMalformed: a fact is not name=value.
        NotConfirmed: nobody confirmed that this is the question.
        GateClosed, AlreadyAnswered, ShownChanged, NotAsked: the question does not take this answer.
    """
    facts = facts_of(entry.facts)
    if entry.scan is None and entry.via in _ON_PAPER:
        raise ScanMissing(via=entry.via)
    with records().read() as tx:
        gate = find(tx, key, name)
        person = link_of(tx, gate, entry.person).contact
        _check_day(tx, gate, entry.received_on)
        shown = described(tx, gate, key, person.language)
    if not as_json:
        print_question(shown)
        printing.line()
    _confirm(f"Record that {person.name} answered '{entry.option or entry.verb}'?", confirmed, as_json)
    receipt = _record(gate, entry, person.person, facts)
    _print_receipt(key, name, entry, receipt, as_json=as_json)
    waking.wake(gate.case_id)


def facts_of(texts: tuple[str, ...]) -> dict[str, str]:
    """The facts that were written as name=value; `FactMalformed` for what is not."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise FactMalformed(text=text)
        found[name.strip()] = value.strip()
    return found


def _check_day(tx: Tx, gate: Gate, on: date) -> None:
    first_on, last_on = local_date(gate.opened_at), local_date(tx.now)
    if first_on <= on <= last_on:
        return
    why = "the question was not asked yet" if on < first_on else "that day is still to come"
    raise ReceivedWhen(on=on, why=why, first_on=first_on, last_on=last_on)


def _confirm(question: str, confirmed: bool, as_json: bool) -> None:  # noqa: FBT001 - two of our own options
    if confirmed:
        return
    if as_json:
        raise NotConfirmed
    try:
        agreed = typer.confirm(printing.harmless(question), err=True)
    except typer.Abort as ended:  # there is nobody to ask
        raise NotConfirmed from ended
    if not agreed:
        raise NotConfirmed


def _record(gate: Gate, entry: Entry, person: str, facts: dict[str, str]) -> Receipt:
    """Store the files first: an answer never names a document that is not there."""
    by = f"entered by {entry.enterer}"
    delivered = document_files.store(gate.customer, entry.documents, by)
    origin = {"entered_by": entry.enterer, "received_on": entry.received_on.isoformat()}
    if entry.scan is not None:
        (scan,) = document_files.store(gate.customer, [entry.scan], by)
        origin |= {"scan": scan.id, "scan_sha256": scan.sha256}
    given = Given(
        person=person,
        verb=entry.verb,
        option=entry.option,
        remark=entry.remark,
        facts=facts,
        documents=tuple(document.id for document in delivered),
        shown_digest=gate.shown_digest,
        via=Via(entry.via),
        origin=origin,
    )
    with records().write() as tx:
        return answers.give(tx, gate.id, given)


def _print_receipt(key: str, name: str, entry: Entry, receipt: Receipt, *, as_json: bool) -> None:
    with records().read() as tx:
        proof = proofs.find(tx, f"answer:{receipt.answer_id}", Event.GATE_ANSWERED)
    data = {
        "case": key,
        "gate": name,
        "person": receipt.person,
        "verb": receipt.verb,
        "option": receipt.option,
        "via": entry.via,
        "received_on": entry.received_on,
        "entered_by": entry.enterer,
        "recorded_at": receipt.at,
        "gate_state": receipt.state,
        "repeated": receipt.repeated,
        "evidence": f"{proof.chain}:{proof.seq}" if proof else None,
    }
    if as_json:
        printing.emit(data)
        return
    again = " before; nothing has changed" if receipt.repeated else ""
    printing.line(f"Recorded{again}. The question is {receipt.state}; evidence {data['evidence']}.")
