"""What operators see of backups in the Prefect UI: a table per night, and one of ages that stands."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tasks import artifacts
from tasks.backup.ages import in_hours

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from nakoming.records.backups import BackupEntry
    from tasks.backup.ages import BackupAge
    from tasks.backup.dispatch import Made

NIGHT, AGES = "backup-night", "backup-ages"
_logger = logging.getLogger(__name__)


def publish_night(on: date, done: Sequence[Made], entries: Sequence[BackupEntry]) -> None:
    """What became of each customer in a night; what needs a look stands first."""
    of = {entry.customer: entry for entry in entries}
    rows = [_row(each, of.get(each.customer)) for each in sorted(done, key=_needs_a_look_first)]
    red = sum(each.is_red for each in done)
    put(NIGHT, rows, f"Backups of the night of {on}: {len(done)} customers, {red} to look at.")


def _needs_a_look_first(each: Made) -> tuple[bool, str]:
    return not each.is_red, each.customer


def _row(each: Made, entry: BackupEntry | None) -> dict[str, Any]:
    took = entry.verified_at - entry.began_at if entry and entry.verified_at else None
    return {
        "customer": each.customer,
        "to look at": "yes" if each.is_red else "",
        "outcome": each.said[:500],
        "backup": entry.set_id if entry else None,
        "rows": entry.rows_total if entry else None,
        "bytes": entry.bytes if entry else None,
        "bytes before compression": entry.raw_bytes if entry else None,
        "seconds": round(took.total_seconds(), 1) if took is not None else None,
    }


def publish_ages(found: Sequence[BackupAge]) -> None:
    """How old the newest backup is that each customer could be given back; what alarms stands first."""
    rows = [
        {
            "customer": each.customer,
            "alarm": "YES" if each.alarms else "",
            "age": in_hours(each.age),
            "alarms after": in_hours(each.alarm_after),
            "backup": each.set_id,
            "restored to prove it": artifacts.local(each.proven_at) if each.proven_at else "never",
        }
        for each in found
    ]
    alarms = sum(each.alarms for each in found)
    put(AGES, rows, f"Age of the newest backup that can be restored: {len(found)} customers, {alarms} alarm.")


def put(key: str, rows: list[dict[str, Any]], description: str) -> None:
    """Renew a table; what goes wrong with it is logged and stops nothing."""
    try:
        artifacts.put_table(key, rows, description)
    except Exception as failed:  # noqa: BLE001 - what operators see must not stop what is done
        _logger.warning("the artifact %s could not be renewed: %s", key, type(failed).__name__)
