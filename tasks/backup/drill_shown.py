"""What operators see of restores that were tried: a table with RPO and RTO of each customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tasks.artifacts import local
from tasks.backup.ages import in_hours
from tasks.backup.shown import put

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from nakoming.records.backup_proofs import BackupProof
    from tasks.backup.drill_one import Drilled

DRILL: Final = "restore-drill"


def publish_drill(
    on: date, done: Sequence[Drilled], left: Sequence[str], last: Mapping[str, BackupProof], now: datetime
) -> None:
    """How each restore of a night went, what needs a look first, then those for which no time was left."""
    rows = [_row(each, last.get(each.customer), now) for each in sorted(done, key=_needs_a_look_first)]
    rows += [{"customer": each, "outcome": "no time left; a later night"} for each in left]
    bad = sum(each.good is not True for each in done)
    put(DRILL, rows, f"Restores of the night of {on}: {len(done)} tried, {bad} to look at, {len(left)} left.")


def _needs_a_look_first(each: Drilled) -> tuple[bool, bool, str]:
    return each.good is True, each.good is None, each.customer


def _row(each: Drilled, last: BackupProof | None, now: datetime) -> dict[str, Any]:
    outcome = {True: "restored and equal", False: "CANNOT BE RESTORED", None: "could not be tried"}[each.good]
    return {
        "customer": each.customer,
        "outcome": outcome,
        "backup": each.set_id,
        "site": each.site,
        "RPO": in_hours(now - each.taken_at) if each.taken_at and each.good else "",
        "RTO": f"{each.rto.total_seconds():.2f} s" if each.rto else "",
        "proven last": local(last.at) if last else "never",
        "said": each.said[:500],
    }
