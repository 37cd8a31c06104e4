"""What operators are told of what was refused: once for each reason on each day, each dead letter once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tasks import operators
from tasks.erp.write_back import dead_letters

if TYPE_CHECKING:
    from sqlalchemy import Engine

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


def tell_dead_letters(work: Work, engine: Engine) -> None:
    """Tell of what the ERP refused, once for the newest of them."""
    with engine.connect() as connection:
        letters = list(dead_letters(connection))
    if not letters:
        return
    first = letters[0]
    values = {"count": str(len(letters)), "error": f"{first.interface} {first.order_number}: {first.message}"}
    with work.records.write() as tx:
        about = f"dead/{letters[-1].id}"
        operators.tell_exchange(tx, work.customer, about, "exchange_dead_letters", values)
