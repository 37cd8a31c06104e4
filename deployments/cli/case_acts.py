"""What an operator does to a case."""

from __future__ import annotations

from typing import Final

from deployments.cli import files, printing, waking
from deployments.cli.errors import NoReason
from nakoming.records import cases
from tasks import withdrawal
from tasks.installation import records

REASON_LIMIT: Final = 1000


def reason_of(act: str, given: str) -> str:
    """The reason without spaces around it; `NoReason` when there is none, or too much of it."""
    reason = given.strip()
    if not reason or len(reason) > REASON_LIMIT:
        raise NoReason(act=act, limit=REASON_LIMIT)
    return reason


def withdraw(key: str, reason: str, by: str | None, *, as_json: bool) -> None:
    """End a case.

    Raises:
        UnknownCase: there is no such case.
        CaseClosed: it has ended already.
        NoReason: the reason is empty or too long.
    """
    why = reason_of("Withdrawing a case", reason)
    with records().write() as tx:
        case = cases.by_key(tx, key)
        told = withdrawal.withdraw(tx, case, by or files.login(), why)
    if as_json:
        printing.emit(
            {"key": case.key, "state": "closed", "outcome": "withdrawn", "told": [c.person for c in told]}
        )
    else:
        printing.line(f"{case.key} is withdrawn.")
        printing.facts([("Told by mail", tuple(contact.name for contact in told))])
    waking.wake(case.id)
