"""Shows questions: in a list, and one as it was put."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployments.cli import printing
from deployments.cli.errors import PersonNotAsked, QuestionUnknown
from nakoming.records import agreements, answers, cases, documents, gates, links, outbox
from tasks.installation import records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nakoming.records.gate_model import AnswerRecord, Gate
    from nakoming.records.links import Link
    from nakoming.records.store import Tx


def listed(customer: str | None, *, as_json: bool) -> None:
    """Print the open questions; `UnknownAgreement` when there is no such customer."""
    with records().read() as tx:
        if customer is not None:
            agreements.newest_version(tx, customer)
        found = [_listed(tx, gate) for gate in gates.all_open(tx) if customer in {None, gate.customer}]
    if as_json:
        printing.emit(found)
        return
    rows = [
        (each["case"], each["gate"], each["kind"], each["waits_for"], each["due_by"], each["opened_at"])
        for each in found
    ]
    columns = ("case", "gate", "kind", "waits for", "due by", "opened")
    printing.table(columns, rows, empty="No question is open.")


def _listed(tx: Tx, gate: Gate) -> dict[str, Any]:
    answered = {answer.person for answer in answers.of_gate(tx, gate.id) if answer.retracted_at is None}
    asked = [link.contact for link in links.of_gate(tx, gate.id)]
    return {
        "case": cases.get(tx, gate.case_id).key,
        "gate": gate.name,
        "kind": gate.kind,
        "clause": gate.clause,
        "waits_for": [contact.name for contact in asked if contact.person not in answered],
        "due_by": gate.due_by,
        "opened_at": gate.opened_at,
    }


def show(key: str, name: str, language: str, *, as_json: bool) -> None:
    """Print a question; `UnknownCase` or `QuestionUnknown` when there is none."""
    with records().read() as tx:
        gate = find(tx, key, name)
        data = described(tx, gate, key, language)
    if as_json:
        printing.emit(data)
    else:
        print_question(data)


def find(tx: Tx, key: str, name: str) -> Gate:
    """The gate of a case by the names that people use.

    Raises:
        UnknownCase: there is no such case.
        QuestionUnknown: the case asked no such question; those it asked are named.
    """
    case = cases.by_key(tx, key)
    found = {gate.name: gate for gate in gates.of_case(tx, case.id)}
    if name not in found:
        raise QuestionUnknown(gate=name, key=key, asked=", ".join(found) or "none")
    return found[name]


def link_of(tx: Tx, gate: Gate, person: str) -> Link:
    """The link of a person to a gate, named with or without the side; `PersonNotAsked` when there is none."""
    asked = {link.contact.person: link for link in links.of_gate(tx, gate.id)}
    same = [link for name, link in asked.items() if person in {name, name.partition(":")[2]}]
    if len(same) != 1:
        raise PersonNotAsked(person=person, gate=gate.name, asked=", ".join(asked) or "nobody")
    return same[0]


def described(tx: Tx, gate: Gate, key: str, language: str) -> dict[str, Any]:
    """All of a question as it was put in one language, and how it stands."""
    words = gate.question.texts[language]
    labels = words.get("verbs", {})
    return {
        "case": key,
        "gate": gate.name,
        "kind": gate.kind,
        "state": gate.state,
        "clause": gate.clause,
        "opened_at": gate.opened_at,
        "due_by": gate.due_by,
        "closes_at_deadline": gate.closes_at_deadline,
        "closed_at": gate.closed_at,
        "consumed_by": gate.consumed_by,
        "title": words["title"],
        "ask": words["ask"],
        "about": words.get("about", []),
        "verbs": {verb: labels.get(verb, {}) for verb in map(str, gate.rule.offered)},
        "options": {option: words.get("options", {}).get(option, option) for option in gate.rule.options},
        "facts": _facts(gate, words),
        "remark_required": gate.question.remark_required,
        "documents": [_document(tx, gate, document) for document in gate.documents],
        "documents_to_deliver": gate.question.documents,
        "shown_digest": gate.shown_digest,
        "asked": _asked(tx, gate),
        "answers": answers.of_gate(tx, gate.id),
    }


def _facts(gate: Gate, words: dict[str, Any]) -> list[dict[str, Any]]:
    labels = words.get("fields", {})
    return [field.as_data() | {"label": labels.get(field.name, field.name)} for field in gate.question.fields]


def _document(tx: Tx, gate: Gate, document_id: str) -> dict[str, Any]:
    found = documents.get(tx, gate.customer, document_id)
    return {"id": found.id, "name": found.name, "sha256": found.sha256, "bytes": found.size}


def _asked(tx: Tx, gate: Gate) -> list[dict[str, Any]]:
    """Who was asked, and how far the newest mail with their link came. The link itself is nowhere."""
    mails = {mail.link_id: mail for mail in outbox.of_gate(tx, gate.id) if mail.kind in _WITH_LINK}
    return [
        {
            "person": link.contact.person,
            "name": link.contact.name,
            "role": link.contact.role,
            "link": link.state,
            "link_number": link.generation,
            "opened_at": link.opened_at,
            "mail": mails[link.id].state if link.id in mails else None,
            "mail_error": mails[link.id].last_error if link.id in mails else None,
        }
        for link in links.of_gate(tx, gate.id)
    ]


_WITH_LINK = ("question", "link_reissued")


def print_question(data: dict[str, Any]) -> None:
    """Print what `described` gave, for a person."""
    printing.line(f"{data['title']}\n\n{data['ask']}\n")
    printing.facts(
        [
            *((label, value) for label, value in data["about"]),
            ("Case", data["case"]),
            ("Question", f"{data['gate']} ({data['kind']}, {data['state']})"),
            ("Opened", data["opened_at"]),
            ("Due by", data["due_by"]),
            ("Closed", data["closed_at"]),
            ("Used for", data["consumed_by"]),
            ("Digest", data["shown_digest"]),
        ]
    )
    _print_choices(data)
    _print_people(data)


def _print_choices(data: dict[str, Any]) -> None:
    verbs = [(verb, said.get("label"), said.get("next")) for verb, said in data["verbs"].items()]
    printing.table(("answer", "in words", "then"), verbs, title="Possible answers")
    if data["options"]:
        printing.table(("option", "in words"), data["options"].items(), title="Choices")
    if data["facts"]:
        rows = [(fact["name"], fact["label"], fact["kind"], fact["required"]) for fact in data["facts"]]
        printing.table(("fact", "in words", "kind", "needed"), rows, title="Facts")
    if data["documents"]:
        papers = [(each["id"], each["name"], each["sha256"]) for each in data["documents"]]
        printing.table(("document", "name", "SHA-256"), papers, title="Documents")


def _print_people(data: dict[str, Any]) -> None:
    rows = [
        (each["person"], each["name"], each["role"], each["mail"], each["mail_error"], each["opened_at"])
        for each in data["asked"]
    ]
    printing.table(("person", "name", "role", "mail", "trouble", "opened"), rows, title="Asked")
    printing.table(
        ("person", "answer", "remark", "by", "at", "taken back"),
        _answer_rows(data["answers"]),
        title="Answers",
        empty="None yet.",
    )


def _answer_rows(given: Sequence[AnswerRecord]) -> list[tuple[Any, ...]]:
    return [(a.person, a.option or a.verb, a.remark, a.via, a.at, a.retracted_at) for a in given]
