"""The versions of a customer's database that can be restored, as the ledger of backups knows them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from nakoming.records import backup_proofs, backups, cases
from nakoming.records.backups import SetState

if TYPE_CHECKING:
    from collections.abc import Collection

    from nakoming.records.backup_proofs import BackupProof
    from nakoming.records.store import Tx


KIND: Final = "restore_calamity"
MOST: Final = 10
"""So many are offered: more would not be read on a telephone, and hardly ever are older ones chosen."""


class Version(BaseModel):
    """A backup that can be restored.

    Attributes:
        set_id: its name.
        manifest_sha256: which manifest it must have: this is what is chosen, not a name.
        taken_at: what it holds is not older.
        size: bytes of the dumps in it.
        before_restore: it was made of a live database just before another calamity's restore.
    """

    model_config = ConfigDict(frozen=True)

    set_id: str
    manifest_sha256: str
    taken_at: datetime
    size: int
    before_restore: bool = False


def restorable(tx: Tx, customer: str, case_id: str, without: Collection[str]) -> list[Version]:
    """Verified, not found bad since, not tried in this case: the newest first."""
    proofs = [each for kind in ("drill", "scrub") for each in _series(tx, customer, kind)]
    bad = {each.set_id for each in proofs if not each.good and not _overruled(each, proofs)}
    found = []
    for entry in reversed(backups.listed(tx, customer, (SetState.VERIFIED,))):
        if entry.set_id in bad or entry.set_id in without or entry.case_id == case_id:
            continue
        if entry.manifest_sha256 is None or entry.taken_at is None:
            continue
        found.append(
            Version(
                set_id=entry.set_id,
                manifest_sha256=entry.manifest_sha256,
                taken_at=entry.taken_at,
                size=entry.raw_bytes or 0,
                before_restore=cases.get(tx, entry.case_id).kind == KIND,
            )
        )
    return found


def _series(tx: Tx, customer: str, kind: str) -> list[BackupProof]:
    return backup_proofs.series(tx, customer, "drill" if kind == "drill" else "scrub")


def _overruled(bad: BackupProof, proofs: list[BackupProof]) -> bool:
    """A reading says less than a restore: only a restore makes good what a restore found bad."""
    return any(
        each.good and each.set_id == bad.set_id and each.at > bad.at and each.kind in {bad.kind, "drill"}
        for each in proofs
    )
