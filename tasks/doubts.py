"""A doubt that the target itself cannot settle is put to the operators: repeat the effect, or ask again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.agreement.gate_rules import GateRule, Kind, Verb
from nakoming.agreement.local_time import local_date
from nakoming.records import agreements, gates
from nakoming.records.gate_model import GateSpec, GateState
from tasks.people import contacts_for, vendor_seats
from tasks.texts import question
from tasks.waits import CaseWaits, waiting_for

if TYPE_CHECKING:
    from nakoming.records.cases import Lease
    from nakoming.records.store import Records, Tx

REPEAT = "repeat"
ASK_AGAIN = "ask_again"


def ask_operator(records: Records, lease: Lease, step: str) -> bool:
    """Whether an operator said that the effect did not happen and is to be repeated.

    False: the operator says that the target can be asked now. Every doubt is a question of its own.

    Raises:
        CaseWaits: nobody has said so yet.
    """
    with records.write() as tx:
        asked = [gate for gate in gates.of_case(tx, lease.case_id) if gate.name.startswith(_name(step))]
        if not asked or asked[-1].consumed_at is not None:
            gates.open_gate(tx, lease, _question(tx, lease, step, len(asked) + 1))
            asked = [gate for gate in gates.of_case(tx, lease.case_id) if gate.name.startswith(_name(step))]
        gate = asked[-1]
        if gate.state != GateState.OPEN:
            gates.settle(tx, lease, gate.name, by=step)
    if gate.state == GateState.OPEN:
        raise CaseWaits([waiting_for(gate)])
    return gate.option == REPEAT


def _name(step: str) -> str:
    return f"doubt/{step}/"


def _question(tx: Tx, lease: Lease, step: str, number: int) -> GateSpec:
    vendor = agreements.vendor(tx)
    rule = GateRule(
        kind=Kind.CHOICE,
        seats=vendor_seats(vendor, ["operator"], local_date(tx.now)),
        options=(REPEAT, ASK_AGAIN),
        verbs=(Verb.CHOOSE,),
    )
    return GateSpec(
        name=f"{_name(step)}{number}",
        rule=rule,
        question=question("doubt", key=lease.key, step=step),
        contacts=contacts_for(rule, agreements.get(tx, lease.customer), vendor),
        label=f"{lease.key}: a step in doubt",
    )
