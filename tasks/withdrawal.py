"""Ends a case because whoever asked for it withdrew it; those who had an open question are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.records import failures, gates, links, outbox, reservations
from nakoming.records.gate_model import GateState
from tasks.texts import notice

if TYPE_CHECKING:
    from nakoming.records.cases import Case
    from nakoming.records.gate_model import Contact
    from nakoming.records.store import Tx


def withdraw(tx: Tx, case: Case, by: str, reason: str) -> tuple[Contact, ...]:
    """Ask nothing more, give back what the case keeps for itself, end it; who was told.

    Raises:
        CaseClosed: it has ended already.
    """
    failures.withdraw(tx, case.id, by, reason)
    reservations.free(tx, case.id)
    asked = _asked(tx, case)
    for contact in asked:
        outbox.put(
            tx,
            outbox.Mail(
                key=f"notice/{case.id}/withdrawn/{contact.person}",
                kind="notice",
                customer=case.customer,
                recipient=contact,
                case_id=case.id,
                context=notice("withdrawn", contact.language, reference=case.subject, reason=reason),
            ),
        )
    return asked


def _asked(tx: Tx, case: Case) -> tuple[Contact, ...]:
    """Everyone whose question was revoked with the case, each once."""
    revoked = [gate for gate in gates.of_case(tx, case.id) if gate.state == GateState.REVOKED]
    asked = [link.contact for gate in revoked for link in links.of_gate(tx, gate.id)]
    return tuple({contact.person: contact for contact in asked}.values())
