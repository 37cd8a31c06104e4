"""What an operator does to a question: a new link, or no question any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.cli import printing, waking
from deployments.cli.case_acts import reason_of
from deployments.cli.errors import QuestionOver
from deployments.cli.gate_view import find, link_of
from nakoming.records import gates, links
from nakoming.records.gate_model import Gate, GateState
from tasks.installation import records

if TYPE_CHECKING:
    from nakoming.records.store import Tx


def reissue(key: str, name: str, person: str, *, as_json: bool) -> None:
    """Send a person a new link.

    Raises:
        PersonNotAsked: the person was not asked.
        QuestionOver: the question is not open any more.
    """
    with records().write() as tx:
        gate = _open(tx, key, name, "reissued")
        link = link_of(tx, gate, person)
        links.reissue(tx, link)
    told = {"case": key, "gate": name, "person": link.contact.person, "link_number": link.generation + 1}
    if as_json:
        printing.emit(told)
    else:
        printing.line(f"{link.contact.name} gets a new link by mail; the old one is dead.")


def revoke(key: str, name: str, reason: str, *, as_json: bool) -> None:
    """Withdraw a question.

    Raises:
        NoReason: the reason is empty or too long.
        QuestionOver: the question is not open any more.
    """
    why = reason_of("Revoking a question", reason)
    with records().write() as tx:
        gate = _open(tx, key, name, "revoked")
        gates.revoke(tx, gate.id, why)
    if as_json:
        printing.emit({"case": key, "gate": name, "state": "revoked"})
    else:
        printing.line(f"The question '{name}' of {key} is revoked; its links are dead.")
    waking.wake(gate.case_id)


def _open(tx: Tx, key: str, name: str, act: str) -> Gate:
    gate = gates.get(tx, find(tx, key, name).id, lock=True)
    if gate.state != GateState.OPEN:
        raise QuestionOver(gate=name, key=key, state=gate.state, act=act)
    return gate
