"""What the vendor's operators are told: a case is stuck, a mail is refused for good, a rollback happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.records import agreements, outbox
from nakoming.records.gate_model import Contact

if TYPE_CHECKING:
    from nakoming.agreement.terms import Vendor
    from nakoming.records.cases import Lease
    from nakoming.records.outbox import QueuedMail
    from nakoming.records.store import Tx

_CHAIN = agreements.VENDOR


def tell_stuck(tx: Tx, lease: Lease, error: str) -> None:
    """A case failed too often."""
    _tell(
        tx,
        f"operators/stuck/{lease.case_id}/{lease.epoch}",
        {
            "trouble": "case_stuck",
            "case": lease.key,
            "happened": f"{lease.key} failed five times and is not tried again by itself.",
            "details": [["Error", _line(error)]],
            "to_do": [
                "Look at the error",
                "Mend the cause",
                "Start the process again with the same reference",
            ],
        },
        lease.case_id,
    )


def tell_refused(tx: Tx, mail: QueuedMail, error: str) -> None:
    """A mail cannot be delivered: the person who is asked does not know it."""
    if mail.kind == "operators":
        return  # operators that cannot be reached by mail are not told so by mail
    _tell(
        tx,
        f"operators/mail/{mail.id}",
        {
            "trouble": "mail_refused",
            "case": mail.key,
            "happened": f"The mail '{mail.kind}' to {mail.recipient.name} was refused for good.",
            "details": [["Answer of the server", _line(error)], ["Person", mail.recipient.person]],
            "to_do": [
                "Correct the address in the agreement",
                "Reissue the link, or record the answer by telephone",
            ],
        },
        mail.case_id,
    )


def tell_rolled_back(tx: Tx, lease: Lease, step: str, error: str) -> None:
    """An installation on production failed and was rolled back."""
    _tell(
        tx,
        f"operators/rollback/{lease.case_id}/{step}",
        {
            "trouble": "rolled_back",
            "case": lease.key,
            "happened": f"The installation on production of {lease.key} failed and was rolled back.",
            "details": [["Step", step], ["Error", _line(error)]],
            "to_do": ["Look at the output of the deploy script", "The case goes back to build by itself"],
        },
        lease.case_id,
    )


def _tell(tx: Tx, key: str, context: dict[str, object], case_id: str | None) -> None:
    vendor = agreements.vendor(tx)
    mail = outbox.Mail(
        key=key,
        kind="operators",
        customer=_CHAIN,
        recipient=_operators(vendor),
        case_id=case_id,
        context=context | {"happened_at": tx.now.isoformat()},
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
