"""What operators are told of an exchange that was refused: once for each reason on each day."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tasks import operators

if TYPE_CHECKING:
    from tasks.steps import Work


def tell_refused(work: Work, name: str, error: str) -> None:
    """Tell that an interface or an inbox was refused; the same refusal comes back every few minutes."""
    with work.records.write() as tx:
        about = f"refused/{name}/{tx.now:%Y-%m-%d}/{hash_of(error)}"
        values = {"interface": name, "error": error}
        operators.tell_exchange(tx, work.customer, about, "exchange_refused", values)


def hash_of(text: str) -> str:
    """A short name for a text: digits in it (counts) do not make it another."""
    return hashlib.sha256("".join(c for c in text if not c.isdigit()).encode()).hexdigest()[:12]
