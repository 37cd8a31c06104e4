"""Nights of backups of three customers, from real SQLite files to two folders, over days of moved time."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from prefect.client.orchestration import get_client

from blocks.backup.site_folder import FolderSite
from nakoming.records import backups, case_runs, cases
from nakoming.records.backup_keys import BackupKeys
from nakoming.records.backups import SetState
from tasks.backup import night, one_customer
from tasks.backup.connections import site_of
from tasks.backup.retention import dry_run
from tasks.backup.verifying import verified
from tests.tasks.backup.conftest import CUSTOMERS
from tests.tasks.backup.vault import DAY, START

if TYPE_CHECKING:
    from tests.tasks.backup.vault import Vault

pytestmark = pytest.mark.clause("S-2.4.2", "S-2.4.6")


def artifact(key: str) -> list[dict[str, Any]]:
    with get_client(sync_client=True) as client:
        answer = client.request("GET", "/artifacts/{key}/latest", path_params={"key": key})
        return list(json.loads(answer.json()["data"]))


def test_a_night_leaves_a_backup_of_each_at_both_sites(vault: Vault) -> None:
    walker = vault.night(START)
    assert walker.enter() == night.VERIFIED, vault.errors()
    keys = BackupKeys(vault.records.keys.folder)
    for customer in CUSTOMERS:
        with vault.records.read() as tx:
            entry = backups.newest_verified(tx, customer)
        assert entry is not None
        assert entry.rows_total == 100
        for site in ("near", "far"):
            assert vault.kept(site, customer) == ["2026-11-24-000001"]
            found = verified(site_of(site), entry, keys)
            assert found.manifest_sha256 == entry.manifest_sha256
        assert vault.events(customer)["backup:set:verified"] == 1
        assert vault.events(customer)["backup:key:made"] == 1
        assert vault.events(customer)["backup:set:held_twice"] == 1
        assert vault.events(customer)["backup:history:kept"] == 1
        assert vault.backup(customer, START).outcome == one_customer.VERIFIED
    with vault.records.read() as tx:
        parents = tx.connection.exec_driver_sql("SELECT DISTINCT parent_id FROM cases WHERE kind = 'backup'")
        assert parents.scalars().all() == [walker.case.id]
    assert vault.events("vendor")["backup:night:ended"] == 1
    assert vault.mails() == []
    rows = {row["customer"]: row for row in artifact("backup-night")}
    assert {row["outcome"] for row in rows.values()} == {"verified"}
    assert {row["alarm"] for row in artifact("backup-ages")} == {""}


def test_one_that_fails_stops_no_other_and_is_the_only_one_tried_again(vault: Vault) -> None:
    vault.database("fenwick").rename(vault.folder / "away")
    walker = vault.night(START)
    assert walker.enter() is None
    (waits,) = walker.entries
    assert waits[0]["what"] == "1 backups are tried again"
    (said,) = vault.mails()
    assert said["happened"].endswith("1 van 3 vragen aandacht.")
    assert vault.backup("brouwer", START).outcome == one_customer.VERIFIED
    waiting = vault.backup("fenwick", START)
    assert (waiting.state, waiting.wake_at) == (cases.State.WAITING, None)
    assert [row["customer"] for row in artifact("backup-night") if row["to look at"]] == ["fenwick"]

    vault.set_to(START + timedelta(minutes=6))
    assert walker.enter() is None  # a second attempt: still not there, nobody is told again
    assert len(vault.mails()) == 1
    (vault.folder / "away").rename(vault.database("fenwick"))
    vault.set_to(START + timedelta(minutes=30))
    assert walker.enter() == night.VERIFIED
    with vault.records.read() as tx:
        runs = {each: case_runs.count(tx, vault.backup(each, START).id) for each in CUSTOMERS}
    assert runs == {"brouwer": 1, "fenwick": 3, "kestrel": 1}
    assert [vault.kept(site, "fenwick") for site in ("near", "far")] == [["2026-11-24-000001"]] * 2


def test_what_the_second_site_lacks_is_copied_when_it_answers_again(vault: Vault) -> None:
    (vault.folder / "far").rename(vault.folder / "unplugged")
    walker = vault.night(START)
    assert walker.enter() is None
    assert vault.kept("near", "brouwer") == ["2026-11-24-000001"]
    with vault.records.read() as tx:
        assert backups.newest_verified(tx, "brouwer") is None  # one site alone is no backup
    for customer in CUSTOMERS:
        vault.fill(customer, 7)  # what is copied is what was dumped, not what there is now
    (vault.folder / "unplugged").rename(vault.folder / "far")
    vault.set_to(START + timedelta(minutes=6))
    assert walker.enter() == night.VERIFIED
    with vault.records.read() as tx:
        entry = backups.newest_verified(tx, "brouwer")
    assert entry is not None
    assert entry.rows_total == 100


def test_what_is_not_mended_until_the_next_night_ends_as_a_breach(vault: Vault) -> None:
    assert vault.night(START - DAY).enter() == night.VERIFIED
    vault.database("fenwick").unlink()
    walker = vault.night(START)
    outcome = None
    at = START
    while outcome is None:
        assert at < START + DAY
        outcome = walker.enter()
        at += timedelta(minutes=61)
        vault.set_to(at)
    assert outcome == night.INCOMPLETE
    assert outcome in night.PROCESS.red
    assert vault.backup("fenwick", START).outcome == one_customer.NOT_MADE
    found = vault.events("fenwick")
    assert (found["backup:set:failed"], found["backup:night:missed"]) == (1, 1)
    assert len(vault.mails()) == 1
    vault.fill("fenwick", 90)
    assert vault.night(START + DAY).enter() == night.VERIFIED
    assert vault.events("fenwick")["backup:night:missed"] == 1


@pytest.mark.clause("S-2.4.3", "S-2.4.4")
def test_after_a_week_the_first_night_is_deleted_at_both_sites(vault: Vault) -> None:
    for day in range(8):
        assert vault.night(START + day * DAY).enter() == night.VERIFIED
    for site in ("near", "far"):
        assert [name[-6:] for name in vault.kept(site, "brouwer")] == [f"{n:06}" for n in range(2, 9)]
        assert len(vault.kept(site, "kestrel")) == 8  # its contract says thirty days
    with vault.records.read() as tx:
        gone = backups.get(tx, "brouwer", "2026-11-24-000001")
    assert gone.state is SetState.DELETED
    assert gone.rule == "the run of the night that takes its place is verified"
    assert vault.events("brouwer")["backup:set:deleted"] == 1
    decided = dry_run(vault.records, "brouwer", (START + 7 * DAY).date())
    assert [each.delete for each in decided] == [False] * 7
    assert all(each.reason for each in decided)


@pytest.mark.clause("S-2.4.7")
def test_after_ten_days_without_success_nothing_is_deleted_in_the_first_night(vault: Vault) -> None:
    for day in range(3):
        assert vault.night(START + day * DAY).enter() == night.VERIFIED
    assert vault.night(START + 13 * DAY).enter() == night.VERIFIED
    assert len(vault.kept("far", "brouwer")) == 4
    found = vault.events("brouwer")
    assert found["backup:history:overstayed"] == 3
    assert found["backup:night:missed"] == 10
    assert vault.night(START + 14 * DAY).enter() == night.VERIFIED
    assert [name[-6:] for name in vault.kept("far", "brouwer")] == ["000004", "000005"]


@pytest.mark.clause("S-2.4.7")
def test_a_source_that_shrank_is_backed_up_and_told(vault: Vault) -> None:
    assert vault.night(START).enter() == night.VERIFIED
    vault.fill("kestrel", 79)
    vault.fill("fenwick", 80)
    assert vault.night(START + DAY).enter() == night.VERIFIED
    assert vault.backup("kestrel", START + DAY).outcome == one_customer.SHRUNK
    assert vault.backup("fenwick", START + DAY).outcome == one_customer.VERIFIED
    assert vault.events("kestrel")["backup:set:shrunk"] == 1
    (said,) = vault.mails()
    assert "kestrel" in str(said["details"])
    assert "fenwick" not in str(said["details"])


@pytest.mark.clause("S-3.1.9")
def test_a_night_outside_its_window_is_said_to_be_late(vault: Vault) -> None:
    assert vault.night(START + timedelta(hours=6)).enter() == night.VERIFIED
    assert vault.events("vendor")["backup:night:made_late"] == 1


def test_a_night_that_will_not_fit_its_window_is_told_beforehand(vault: Vault) -> None:
    assert vault.night(START).enter() == night.VERIFIED
    with vault.records.write() as tx:
        tx.connection.exec_driver_sql("UPDATE backup_sets SET began_at = began_at - 86400000000")
    assert vault.night(START + DAY).enter() == night.VERIFIED
    (said,) = vault.mails()
    assert "servicevenster" in said["happened"]


def test_two_sites_on_one_server_are_refused(vault: Vault) -> None:
    FolderSite(folder=vault.folder / "far", machine="near.example").save("far", overwrite=True)
    assert vault.night(START).enter() is None
    error = vault.backup("brouwer", START).last_error
    assert error is not None
    assert "the first site and the second site of brouwer are both on near.example" in error


def test_another_worker_helps_with_a_night_under_way(vault: Vault) -> None:
    assert night.shared(vault.records, START.date()).endswith("not under way: nothing to help with.")
    vault.database("fenwick").rename(vault.folder / "away")
    walker = vault.night(START)
    assert walker.enter() is None
    (vault.folder / "away").rename(vault.database("fenwick"))
    said = night.shared(vault.records, START.date())
    assert said == "3 of 3 backups of the night of 2026-11-24 are over."
    vault.set_to(START + timedelta(minutes=6))
    assert walker.enter() == night.VERIFIED
