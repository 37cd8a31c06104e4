"""Plain information to officers: a mail through the outbox, written once, in each reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nakoming.records import outbox
from tasks.people import contacts
from tasks.questions import desk_of
from tasks.texts import notice

if TYPE_CHECKING:
    from nakoming.records.cases import Case
    from nakoming.records.events import Event
    from nakoming.records.gate_model import Contact
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun
    from tasks.questions import Desk

FUNCTIONAL_ADMINISTRATOR = "functional_administrator"


def tell(
    case: CaseRun, name: str, words: str, values: dict[str, str], *, roles: tuple[str, ...] = ()
) -> None:
    """Tell the customer's officers something, once: their functional administrator, and those in `roles`.

    Args:
        case: the case it belongs to.
        name: stage/round/subject, as of every step.
        words: a file of `tasks/texts/notices`.
        values: what its placeholders are filled with.
        roles: who else is told.

    Raises:
        NobodyAuthorisedError: a role is held by nobody today.
    """

    def write(tx: Tx) -> list[str]:
        told = put_notice(tx, case.case, desk_of(tx, case), name, words, values, roles=roles)
        return sorted(contact.person for contact in told)

    case.record(name, write, words=words, values=values)


def tell_closed(
    case: CaseRun,
    name: str,
    words: str,
    values: dict[str, str],
    *,
    event: Event,
    documents: tuple[str, ...],
    roles: tuple[str, ...],
) -> None:
    """Tell the customer's officers that a case has ended, once, and where the evidence of it stands.

    Args:
        case: the case.
        name: as of `tell`; `words`, `values` and `roles` too, the words with an `outcome`.
        words: a file of `tasks/texts/notices`.
        values: what its placeholders are filled with.
        event: the evidence that it tells the number and the head of; it stands in the case already.
        documents: what is handed over, named with their digests.
        roles: who else is told.

    Raises:
        NobodyAuthorisedError: a role is held by nobody today.
    """
    added = {"event": str(event), "documents": list(documents)}

    def write(tx: Tx) -> list[str]:
        here = desk_of(tx, case)
        told = _told(here, roles)
        _put(tx, case.case, told, "closed", name, words, values, added)
        return sorted(contact.person for contact in told)

    case.record(name, write, words=words, values=values)


def put_notice(
    tx: Tx,
    case: Case,
    here: Desk,
    name: str,
    words: str,
    values: dict[str, str],
    *,
    roles: tuple[str, ...] = (),
) -> tuple[Contact, ...]:
    """Write the mails of a notice; `name` tells it from others of the case. Who is told."""
    told = _told(here, roles)
    _put(tx, case, told, "notice", name, words, values, {})
    return told


def _told(here: Desk, roles: tuple[str, ...]) -> tuple[Contact, ...]:
    return contacts(here.customer_seats(FUNCTIONAL_ADMINISTRATOR, *roles), here.listed, here.vendor)


def _put(
    tx: Tx,
    case: Case,
    told: tuple[Contact, ...],
    kind: str,
    name: str,
    words: str,
    values: dict[str, str],
    added: dict[str, Any],
) -> None:
    for contact in told:
        mail = outbox.Mail(
            key=f"{kind}/{case.id}/{name}/{contact.person}",
            kind=kind,
            customer=case.customer,
            recipient=contact,
            case_id=case.id,
            context=notice(words, contact.language, **values) | added,
        )
        outbox.put(tx, mail)
