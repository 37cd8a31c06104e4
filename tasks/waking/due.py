"""Acts on what is due, and tells the operators what they have to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.records import housekeeping
from tasks import operators

if TYPE_CHECKING:
    from nakoming.records.housekeeping import Acted
    from nakoming.records.store import Records


def act_on_due(records: Records, case_id: str | None = None) -> list[Acted]:
    """Act on every wake-up whose instant has passed, of one case or of all."""
    return housekeeping.act_on_due(records, case_id, unproven=operators.tell_unproven)
