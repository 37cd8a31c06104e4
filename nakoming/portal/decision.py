"""Deciding: a form becomes an answer in the records, or comes back with what must be put right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy.exc import OperationalError

from nakoming.portal import filling
from nakoming.portal.errors import LinkUnknown
from nakoming.portal.filling import Filled, Problem
from nakoming.portal.passes import Typed
from nakoming.records import answers, documents, links
from nakoming.records.errors import DocumentRefused, NotAsked, ShownChanged, StorageFull
from nakoming.records.gate_model import Given

if TYPE_CHECKING:
    from collections.abc import Callable

    from nakoming.portal.forms import Form
    from nakoming.portal.passes import Passes
    from nakoming.portal.sight import Sight
    from nakoming.records.answers import Receipt
    from nakoming.records.store import Records, Tx

T = TypeVar("T")
_ATTEMPTS: Final = 4
_TURNED_AWAY: Final = ("40P01", "40001")  # PostgreSQL broke a ring of waiting; nothing was written


@dataclass(frozen=True)
class Refused:
    """The form comes back: with this status, these sentences, and all that was filled in."""

    status: int
    problems: tuple[Problem, ...]
    filled: Filled


def decide(
    records: Records, passes: Passes, sight: Sight, form: Form, origin: dict[str, str]
) -> Receipt | Refused:
    """Take the answer of a form.

    Raises:
        ShownChanged: the documents changed; a new link has been sent.
        GateClosed: the question is settled or its deadline has passed.
        AlreadyAnswered: this person gave another answer before.
        LinkUnknown: the link was superseded or revoked in the meantime.
    """
    filled = filling.read(form, sight.gate)
    if not passes.fits(sight.held, filled.form_token):
        return Refused(403, (Problem("form", "forged"),), replace(filled, kept=()))
    typed = passes.check(sight.held, filled.sealed, filled.word, sight.now)
    mended = replace(filled, kept=_proven(passes, sight, filled.kept))
    found = list(filling.problems(mended, sight.gate, form.uploads, records.document_limit))
    if typed is not Typed.RIGHT:
        found.append(Problem("word", f"word_{typed}"))
        if form.uploads:
            found.append(Problem("upload", "files_again"))
        return Refused(400, tuple(found), mended)
    mended, refused = _store(records, passes, sight, form, mended, found)
    if found or refused:
        return Refused(422, (*found, *refused), mended)
    return _give(records, passes, sight, mended, origin)


def _proven(passes: Passes, sight: Sight, marks: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(mark for mark in marks if passes.marked(sight.held, mark)))


def _store(
    records: Records, passes: Passes, sight: Sight, form: Form, filled: Filled, found: list[Problem]
) -> tuple[Filled, list[Problem]]:
    """Store the uploads, so that they need not be sent again when something else must be put right."""
    if any(problem.place == "upload" and problem.sentence in {"many", "none"} for problem in found):
        return filled, []
    kept, refused = list(filled.kept), []
    for upload in form.uploads:
        if upload.too_large or not upload.size:
            continue
        try:
            by = sight.link.contact.person
            stored = documents.add(records, sight.link.customer, upload.name, upload.content(), by=by)
        except DocumentRefused:
            values: dict[str, object] = {"name": upload.name, "types": documents.ALLOWED}
            refused.append(Problem("upload", "type", values))
        except StorageFull:
            refused.append(Problem("upload", "storage", {"name": upload.name}))
        else:
            kept.append(passes.mark(sight.held, stored.id))
    return replace(filled, kept=tuple(dict.fromkeys(kept))), refused


def _give(
    records: Records, passes: Passes, sight: Sight, filled: Filled, origin: dict[str, str]
) -> Receipt | Refused:
    given = Given(
        person=sight.link.contact.person,
        verb=filled.verb,
        option=filled.option,
        remark=filled.remark,
        facts=filling.facts_for(filled, sight.gate),
        documents=tuple(mark.partition(".")[0] for mark in _proven(passes, sight, filled.kept)),
        shown_digest=filled.shown,
        link_id=sight.link.id,
        generation=sight.link.generation,
        origin=origin,
    )
    try:
        return writing(records, lambda tx: _answer(tx, sight, given))
    except ShownChanged:
        writing(records, lambda tx: links.reissue(tx, sight.link))
        raise
    except NotAsked:
        return Refused(422, (Problem("answer", "not_possible"),), filled)


def _answer(tx: Tx, sight: Sight, given: Given) -> Receipt:
    current = links.by_id(tx, sight.link.id)
    if current is None or (current.generation, current.state) != (sight.link.generation, links.ACTIVE):
        raise LinkUnknown  # a newer link was sent, or the question withdrawn, while this form was on its way
    receipt = answers.give(tx, sight.gate.id, given)
    if sight.link.opened_at is None:
        links.opened(tx, sight.link.id)
    return receipt


def retract(records: Records, sight: Sight) -> None:
    """Take the answer of this person back; `GateClosed` or `NotAsked` when that cannot be."""
    writing(records, lambda tx: answers.retract(tx, sight.gate.id, sight.link.contact.person))


def writing(records: Records, work: Callable[[Tx], T]) -> T:
    """Do the work in one transaction; once more when PostgreSQL turned it away to let another through."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with records.write() as tx:
                return work(tx)
        except OperationalError as failed:
            if attempt == _ATTEMPTS or getattr(failed.orig, "sqlstate", None) not in _TURNED_AWAY:
                raise
    raise AssertionError  # pragma: no cover - the loop returns or raises
