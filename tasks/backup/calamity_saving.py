"""The live database saved before another takes its place: as a backup of its own, or else by its new name.

When it cannot be read, or no site takes it, that stops nothing: it is kept whole under another name, and the
reason is written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from blocks.backup.errors import BackupError
from nakoming.agreement.nights import night_of
from nakoming.records import backups
from nakoming.records.backups import Verified
from tasks.backup.errors import OneServer
from tasks.backup.writing import copy_part, send_part, write_manifest

if TYPE_CHECKING:
    from typing import Any

    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun

_FILE = "database.age"
_ENDED = "saving/1/ended"


class Saved(BaseModel):
    """How the live database was saved: as which backup, or why it has only another name."""

    model_config = ConfigDict(frozen=True)

    set_id: str | None = None
    reason: str | None = None


def saved(case: CaseRun) -> Saved:
    """Back up the live database as it is, once in a case, as an extra set of the day."""
    if _ENDED in case.finished:
        return Saved.model_validate(case.record(_ENDED, lambda _: None))
    try:
        done = Saved(set_id=_as_set(case))
    except (BackupError, OneServer) as error:
        done = Saved(reason=str(error))
    return Saved.model_validate(case.record(_ENDED, lambda _: done))


def _as_set(case: CaseRun) -> str:
    terms = case.agreement().backup
    sites = [str(terms.first_site), str(terms.second_site)]
    begun = case.record("saving/1/begun", lambda tx: _begin(tx, case))
    set_id = str(begun["set_id"])
    kept = case.do(
        "saving/1/database",
        send_part,
        set_id=set_id,
        file=_FILE,
        source=str(terms.database),
        sites=sites,
    )
    holding = next(each for each in sites if each not in kept.lacks)
    for target in kept.lacks:
        name = f"saving/1/{target}"
        case.do(name, copy_part, set_id=set_id, part=kept.part, source=holding, target=target)
    written = case.do(
        "saving/1/manifest",
        write_manifest,
        set_id=set_id,
        sequence=begun["sequence"],
        night_on=begun["night_on"],
        previous=begun["previous"],
        made_at=case.now("saving/1/whole"),
        parts=[kept],
        sites=sites,
    )
    fields = ("manifest_sha256", "key_id", "bytes", "raw_bytes", "rows_total", "taken_at")
    found = Verified(**{name: getattr(written, name) for name in fields})
    case.record("saving/1/verified", lambda tx: backups.verified(tx, case.customer, set_id, found))
    return set_id


def _begin(tx: Tx, case: CaseRun) -> dict[str, Any]:
    before = backups.newest_verified(tx, case.customer)
    night_on = night_of(tx.now).on
    entry = backups.begin(tx, case.customer, night_on, case_id=case.lease.case_id)
    return {
        "set_id": entry.set_id,
        "sequence": entry.sequence,
        "night_on": night_on,
        "previous": before.manifest_sha256 if before else None,
    }
