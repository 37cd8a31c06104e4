"""What the vendor's operators are told: a case is stuck, a mail does not arrive, a rollback happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.records import agreements, cases, outbox
from nakoming.records.gate_model import Contact
from tasks.texts import fill, load

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.agreement.terms import Vendor
    from nakoming.records.cases import Lease
    from nakoming.records.gate_model import Gate
    from nakoming.records.outbox import QueuedMail
    from nakoming.records.store import Tx

_CHAIN = agreements.VENDOR


def tell_stuck(tx: Tx, lease: Lease, error: str) -> None:
    """A case failed too often."""
    key = f"operators/stuck/{lease.case_id}/{lease.epoch}"
    _tell(tx, key, "case_stuck", lease.key, {"error": _line(error)}, lease.case_id)


def tell_refused(tx: Tx, mail: QueuedMail, error: str) -> None:
    """A mail cannot be delivered: the person who is asked does not know it."""
    if mail.kind == "operators":
        return  # operators that cannot be reached by mail are not told so by mail
    named = {"kind": mail.kind, "name": mail.recipient.name, "person": mail.recipient.person}
    _tell(
        tx,
        f"operators/mail/{mail.id}",
        "mail_refused",
        mail.key,
        named | {"error": _line(error)},
        mail.case_id,
    )


def tell_rolled_back(tx: Tx, lease: Lease, step: str, error: str) -> None:
    """An installation on production failed and was rolled back."""
    key = f"operators/rollback/{lease.case_id}/{step}"
    _tell(tx, key, "rolled_back", lease.key, {"step": step, "error": _line(error)}, lease.case_id)


def tell_script_changed(tx: Tx, lease: Lease, step: str, why: str) -> None:
    """Nothing was installed on production: its script is not the one that installed the beta (S-2.6.3)."""
    key = f"operators/script/{lease.case_id}/{step}"
    _tell(tx, key, "script_changed", lease.key, {"step": step, "error": _line(why)}, lease.case_id)


def tell_unproven(tx: Tx, gate: Gate) -> None:
    """Silence was to be consent, and nothing proves that the notice arrived (S-2.6.4): the question stays."""
    notices = [mail for mail in outbox.of_gate(tx, gate.id) if mail.kind in outbox.NOTICES]
    states = {mail.recipient.name: mail.state for mail in notices}  # of the last one to each
    values = {
        "question": gate.question.texts[agreements.vendor(tx).language]["title"],
        "gate": gate.name,
        "arrival": ", ".join(f"{name}: {state}" for name, state in states.items()) or "–",
    }
    key = f"operators/unproven/{gate.id}"
    _tell(tx, key, "notice_unproven", cases.get(tx, gate.case_id).key, values, gate.case_id)


def tell_connection_fails(tx: Tx, customer: str, name: str, since: datetime, reason: str) -> None:
    """A customer's system does not answer: once for each interruption."""
    key = f"operators/connection/{customer}/{name}/{since.isoformat()}"
    _tell(tx, key, "connection_fails", customer, {"connection": name, "error": _line(reason)}, None)


def tell_connection_back(tx: Tx, customer: str, name: str, since: datetime) -> None:
    """The same system answers again."""
    key = f"operators/connection-back/{customer}/{name}/{since.isoformat()}"
    values = {"connection": name, "since": f"{since:%Y-%m-%d %H:%M} UTC"}
    _tell(tx, key, "connection_back", customer, values, None)


def tell_exchange(tx: Tx, customer: str, about: str, trouble: str, values: dict[str, str]) -> None:
    """Something of the exchange with an ERP needs a person; `about` tells one occasion from another."""
    _tell(tx, f"operators/erp/{customer}/{about}", trouble, customer, values, None)


def tell_backups(tx: Tx, about: str, trouble: str, values: dict[str, str]) -> None:
    """Something of a night of backups needs a person: one message for all customers (S-2.4.2, S-2.4.7)."""
    _tell(tx, f"operators/{trouble}/{about}", trouble, "daily_backup", values, None)


def _tell(tx: Tx, key: str, trouble: str, case: str, values: dict[str, str], case_id: str | None) -> None:
    """One mail in the vendor's language, once per key."""
    vendor = agreements.vendor(tx)
    said = fill(load("operators", trouble)[vendor.language], values | {"case": case}, vendor.language)
    mail = outbox.Mail(
        key=key,
        kind="operators",
        customer=_CHAIN,
        recipient=_operators(vendor),
        case_id=case_id,
        context={"trouble": trouble, "case": case, "happened_at": tx.now.isoformat(), **said},
    )
    outbox.put(tx, mail)


def _operators(vendor: Vendor) -> Contact:
    return Contact(
        person="vendor:operators",
        name="Operators",
        email=vendor.operators_email,
        language=vendor.language,
        role="operator",
    )


def _line(error: str) -> str:
    return " ".join(error.split())[:400] or "none"
