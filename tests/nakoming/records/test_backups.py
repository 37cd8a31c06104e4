"""The ledger of backups, on both databases: numbers without a gap, one way through the states, evidence."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from nakoming.records import backup_proofs, backups
from nakoming.records.backup_proofs import BackupProof
from nakoming.records.backups import BackupEntry, BackupNotWriting, SetState, UnknownBackup, Verified

if TYPE_CHECKING:
    from nakoming.records.case_model import Lease
    from tests.nakoming.records.conftest import World

pytestmark = pytest.mark.clause("S-2.4.2", "S-2.4.3")

NIGHT = date(2026, 11, 23)
DAY = timedelta(days=1)


def begun(world: World, night: date = NIGHT, lease: Lease | None = None) -> BackupEntry:
    lease = lease or world.held()
    with world.records.write() as tx:
        return backups.begin(tx, "acme", night, case_id=lease.case_id)


def found(world: World, entry: BackupEntry) -> Verified:
    return Verified(
        manifest_sha256=f"{entry.sequence:064}",
        key_id="acme.1",
        bytes=1000,
        raw_bytes=4000 * 2**30,
        rows_total=70,
        taken_at=world.now(),
    )


def made(world: World, night: date = NIGHT) -> BackupEntry:
    entry = begun(world, night)
    with world.records.write() as tx:
        backups.verified(tx, "acme", entry.set_id, found(world, entry))
        return backups.get(tx, "acme", entry.set_id)


def test_numbers_rise_and_name_the_folder(world: World) -> None:
    first, second = begun(world), begun(world, NIGHT + DAY)
    assert (first.set_id, second.set_id) == ("2026-11-23-000001", "2026-11-24-000002")
    assert first.state is SetState.WRITING


def test_a_case_that_begins_again_goes_on_with_its_own(world: World) -> None:
    lease = world.held()
    assert begun(world, lease=lease) == begun(world, lease=lease)
    assert begun(world).sequence == 2


def test_two_that_begin_at_once_get_two_numbers(world: World) -> None:
    leases = [world.held() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        numbers = {entry.sequence for entry in pool.map(lambda each: begun(world, lease=each), leases)}
    assert numbers == {1, 2, 3, 4}


def test_a_verified_backup_is_the_newest_and_leaves_its_evidence(world: World) -> None:
    entry = made(world)
    assert entry.state is SetState.VERIFIED
    assert entry.raw_bytes == 4000 * 2**30
    assert entry.verified_at is not None
    with world.records.read() as tx:
        assert backups.newest_verified(tx, "acme") == entry
        assert backups.newest_verified(tx, "other") is None
        assert backups.manifests(tx, "acme") == {entry.set_id: f"{1:064}"}
    assert world.events().count("backup:set:verified") == 1


def test_verified_once_more_with_the_same_manifest_is_nothing_and_with_another_is_refused(
    world: World,
) -> None:
    entry = made(world)
    again = found(world, entry)
    with world.records.write() as tx:
        backups.verified(tx, "acme", entry.set_id, again)
    other = replace(again, manifest_sha256="f" * 64)
    with pytest.raises(BackupNotWriting, match="is verified; allowed: writing"), world.records.write() as tx:
        backups.verified(tx, "acme", entry.set_id, other)
    assert world.events().count("backup:set:verified") == 1


@pytest.mark.parametrize("verify", [True, False])
def test_a_deleted_backup_keeps_its_row_its_rule_and_its_evidence(world: World, *, verify: bool) -> None:
    entry = made(world) if verify else begun(world)
    for _ in range(2):
        with world.records.write() as tx:
            backups.deleted(tx, "acme", entry.set_id, rule="too old", clause="S-2.4.3")
    with world.records.read() as tx:
        now = backups.get(tx, "acme", entry.set_id)
        assert (now.state, now.rule) == (SetState.DELETED, "too old")
        assert backups.listed(tx, "acme") == []
        assert backups.newest_verified(tx, "acme") is None
    assert world.events().count("backup:set:deleted") == 1


def test_what_is_deleted_cannot_be_verified(world: World) -> None:
    entry = begun(world)
    with world.records.write() as tx:
        backups.deleted(tx, "acme", entry.set_id, rule="unfinished", clause="S-2.4.3")
    with pytest.raises(BackupNotWriting, match="is deleted"), world.records.write() as tx:
        backups.verified(tx, "acme", entry.set_id, found(world, entry))


def test_an_unknown_backup_is_named(world: World) -> None:
    with (
        pytest.raises(UnknownBackup, match="acme has no backup 2026-11-23-000009"),
        world.records.read() as tx,
    ):
        backups.get(tx, "acme", "2026-11-23-000009")


def test_nights_are_known_after_their_backup_is_gone(world: World) -> None:
    first, _ = made(world), made(world, NIGHT + 2 * DAY)
    begun(world, NIGHT + DAY)
    with world.records.write() as tx:
        backups.deleted(tx, "acme", first.set_id, rule="too old", clause="S-2.4.3")
    with world.records.read() as tx:
        assert backups.first_night(tx, "acme") == NIGHT
        assert backups.first_night(tx, "other") is None
        assert backups.nights_kept(tx, "acme", NIGHT) == {NIGHT, NIGHT + 2 * DAY}
        assert [each.night_on for each in backups.of_night(tx, NIGHT + DAY)] == [NIGHT + DAY]


def test_the_last_instant_known_is_of_an_earlier_night(world: World) -> None:
    entry = made(world)
    made(world, NIGHT + DAY)
    with world.records.read() as tx:
        assert backups.last_known_at(tx, NIGHT) is None
        assert backups.last_known_at(tx, NIGHT + DAY) == entry.verified_at


def test_how_long_the_last_one_took(world: World) -> None:
    entry = begun(world)
    world.move(timedelta(minutes=3))
    with world.records.write() as tx:
        backups.verified(tx, "acme", entry.set_id, found(world, entry))
    with world.records.read() as tx:
        took = backups.durations(tx, NIGHT)["acme"]
        assert timedelta(minutes=3) <= took < timedelta(minutes=4)
        assert backups.durations(tx, NIGHT + DAY) == {}


def proof(world: World, entry: BackupEntry, *, good: bool) -> BackupProof:
    return BackupProof(
        set_id=entry.set_id,
        sequence=entry.sequence,
        site="far",
        kind="drill",
        at=world.now(),
        good=good,
        rpo=timedelta(hours=5),
        rto=timedelta(minutes=4),
        said="70 rows",
    )


@pytest.mark.clause("S-2.4.7")
def test_a_backup_that_could_not_be_restored_is_not_the_newest_restorable(world: World) -> None:
    older, newer = made(world), made(world, NIGHT + DAY)
    with world.records.read() as tx:
        assert backups.newest_restorable(tx) == {"acme": newer}
    for good, newest in ((False, older), (True, newer)):
        world.move(timedelta(minutes=1))
        with world.records.write() as tx:
            backup_proofs.proven(tx, "acme", proof(world, newer, good=good))
        with world.records.read() as tx:
            assert backups.newest_restorable(tx) == {"acme": newest}
    with world.records.read() as tx:
        kept = backup_proofs.series(tx, "acme")
        assert backup_proofs.last_proofs(tx) == {"acme": kept[1].at}
    assert [(each.good, each.rpo, each.rto) for each in kept] == [
        (good, timedelta(hours=5), timedelta(minutes=4)) for good in (False, True)
    ]
    assert [event for event in world.events() if "restore" in event] == [
        "backup:restore:failed",
        "backup:restore:proven",
    ]
