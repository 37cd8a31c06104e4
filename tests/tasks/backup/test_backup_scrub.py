"""All backups read in full at both sites: what is damaged is repaired or told, what nobody owns is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nakoming.records.backup_keys import BackupKeys
from tasks.backup import drill, scrub
from tasks.backup.connections import site_of
from tasks.backup.verifying import verified
from tests.tasks.backup.backup_vault import DAY, DRILL, START, BackupVault, artifact
from tests.tasks.backup.conftest import CUSTOMERS

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-2.4.6", "S-2.4.7")


@pytest.fixture
def vault(records: Records, tmp_path: Path, prefect_api: PrefectServer) -> BackupVault:
    del prefect_api
    found = BackupVault(records, tmp_path / "vault").made()
    found.backed_up()
    return found


def is_good(vault: BackupVault, site: str, customer: str) -> bool:
    entry = vault.newest(customer)
    keys = BackupKeys(vault.records.keys.folder)
    return verified(site_of(site), entry, keys).manifest_sha256 == entry.manifest_sha256


def test_all_that_is_good_is_read_and_said_so(vault: BackupVault) -> None:
    vault.backed_up(START + DAY)
    assert vault.scrub().enter() == scrub.GOOD
    for customer in CUSTOMERS:
        assert [each.good for each in vault.proofs(customer, "scrub")] == [True, True]
    assert vault.mails() == []
    assert vault.events("vendor")["backup:scrub:ended"] == 1
    assert {row["to look at"] for row in artifact("backup-scrub")} == {""}
    assert len(artifact("backup-scrub")) == 6


@pytest.mark.parametrize("site", ["near", "far"])
@pytest.mark.parametrize("file", ["database.age", "manifest.json", "all of it"])
def test_a_damaged_copy_is_repaired_from_the_other_site(vault: BackupVault, site: str, file: str) -> None:
    if file == "all of it":
        for each in vault.part(site, "fenwick").parent.iterdir():
            each.unlink()
    else:
        vault.damage(site, "fenwick", file)
    assert vault.scrub().enter() == scrub.REPAIRED
    assert is_good(vault, "near", "fenwick")
    assert is_good(vault, "far", "fenwick")
    (proof,) = vault.proofs("fenwick", "scrub")
    assert proof.good
    assert f"{site}: repaired" in proof.said
    assert vault.events("fenwick")["backup:copy:repaired"] == 1
    assert vault.events("brouwer")["backup:copy:repaired"] == 0
    (said,) = vault.mails()
    assert "1 van 3" in said["happened"]
    assert artifact("backup-scrub")[0]["customer"] == "fenwick"


def test_what_is_damaged_at_both_sites_is_marked_bad(vault: BackupVault) -> None:
    vault.damage("near", "fenwick")
    vault.damage("far", "fenwick")
    assert vault.scrub().enter() == scrub.DAMAGED
    assert vault.restorable() == {"brouwer", "kestrel"}
    assert [each.good for each in vault.proofs("fenwick", "scrub")] == [False]
    assert "fenwick" in str(vault.mails()[0]["details"])


def test_a_site_that_is_away_is_told_and_says_nothing_of_the_backup(vault: BackupVault) -> None:
    (vault.folder / "far").rename(vault.folder / "unplugged")
    assert vault.scrub().enter() == scrub.DAMAGED
    assert vault.restorable() == set(CUSTOMERS)
    assert "far: unknown" in str(vault.mails()[0]["details"])


def test_a_reading_does_not_make_good_what_a_restore_found_bad(
    vault: BackupVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differ(*_: object) -> None:
        raise drill_errors.FactsDiffer(what="it", differences="one row")

    from tasks.backup import drill_errors, drill_one

    monkeypatch.setattr(drill_one, "require_equal", differ)
    assert vault.drill(START + DRILL).enter() == drill.NOT_ALL
    vault.set_to(START + DAY)
    assert vault.scrub().enter() == scrub.GOOD
    assert vault.restorable() == set()
    monkeypatch.undo()
    assert vault.drill(START + DRILL + DAY).enter() == drill.PROVEN
    assert vault.restorable() == set(CUSTOMERS)


def test_files_that_no_backup_owns_are_listed_and_left(vault: BackupVault) -> None:
    site = vault.folder / "near"
    (site / "kestrel" / "2020-01-01-000009").mkdir()
    for name in ("kestrel/2020-01-01-000009/database.age", "readme.txt"):
        (site / name).write_bytes(b"x")
    beside = vault.part("far", "kestrel", "note.txt")
    beside.write_bytes(b"x")
    assert vault.scrub().enter() == scrub.GOOD
    rows = artifact("backup-scrub")
    listed = {row["backup"] for row in rows if "owns it" in row["said"]}
    assert listed == {"kestrel/2020-01-01-000009/database.age", "readme.txt"}
    assert any("note.txt" in row["said"] for row in rows)
    details = str(vault.mails()[0]["details"])
    assert "readme.txt" in details
    assert "2020-01-01-000009" in details
    assert beside.exists()
    assert (site / "readme.txt").exists()
