"""Damage on purpose: what the kill test of the exchange must see, each such as one could have written it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import update

from nakoming.records.engine import writing
from tasks.erp import fetching, marks
from tasks.erp import write_back as back
from tasks.erp.bookkeeping import marks as kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from blocks.erp.protocol import OutEffect


def mark_apart() -> None:
    """Commit the watermark before its rows, in a transaction of its own."""
    staged = fetching._Source.staged

    def early(source: Any, window: Any, connection: Any) -> Any:
        with source.engine.connect() as other, writing(other).begin():
            moved = update(kept).where(kept.c.interface == source.interface.name)
            other.execute(moved.values(mark=json.dumps(marks.frozen(window.mark, source.interface.marked))))
        return staged(source, window, connection)

    fetching._Source.staged = early


def no_key() -> None:
    """Leave the outbox's key out: whatever is sent again looks like something new."""
    known, number = back.effect_of, count()

    def effect_of(row: Any, customer: str, **given: Any) -> OutEffect:
        fresh = f"{os.getpid()}-{next(number)}"
        return replace(known(row, customer, **given), key=fresh, natural_key={back.KEY_COLUMN: fresh})

    back.effect_of = effect_of


DAMAGES: Final[dict[str, Callable[[], None]]] = {"mark apart": mark_apart, "no key": no_key}
