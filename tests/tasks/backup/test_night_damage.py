"""Nights in which a site lies, a disk is full, the clock jumps, a key is lost: never a false good."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import paramiko
import pytest

from blocks.backup.errors import BackupError, SiteFull, SiteReadOnly
from blocks.backup.site_errors import SiteKeyChanged
from blocks.backup.site_folder import FolderSite
from blocks.backup.site_sftp import SftpSite
from blocks.backup.source_sqlite import SqliteSource
from nakoming.agreement.nights import night_of
from nakoming.records import backups
from nakoming.records.backup_keys import BackupKeyLost, BackupKeys
from nakoming.records.backups import SetState
from tasks.backup import ages, night, one_customer, watch
from tasks.backup.connections import site_of
from tasks.backup.errors import OneServer
from tasks.backup.opening import opened
from tasks.backup.stream_errors import ManifestNotOfLedger, PartNotForKey
from tasks.backup.verifying import verified
from tests.blocks.backup.lying_sftp import Liar, lying
from tests.harness.block_names import save_alone
from tests.harness.installation import Walker
from tests.tasks.backup.vault import DAY, START

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from nakoming.records.backups import BackupEntry
    from tasks.case_run import CaseRun
    from tests.tasks.backup.vault import Vault

pytestmark = pytest.mark.clause("S-2.4.2", "S-2.4.6")
MINUTES = timedelta(minutes=1)
TEN_DAYS = 10 * DAY
CUSTOMER = "brouwer"
MANIFEST, PART = "manifest.json", "database.age"


@pytest.fixture
def liar(vault: Vault) -> Iterator[Liar]:
    """The second site is a server that can lie."""
    with lying(vault.folder / "far") as found:
        site = found.site(answer_timeout=5, connect_timeout=5)
        save_alone(site, "far")
        yield found
        SftpSite.delete("far")


def newest(vault: Vault) -> BackupEntry | None:
    with vault.records.read() as tx:
        return backups.newest_verified(tx, CUSTOMER)


def in_ledger(vault: Vault) -> list[str]:
    with vault.records.read() as tx:
        return [entry.set_id[-6:] for entry in backups.listed(tx, CUSTOMER, (SetState.VERIFIED,))]


def assert_good(vault: Vault) -> None:
    """The newest is whole at both sites, as the ledger knows it."""
    keys = BackupKeys(vault.records.keys.folder)
    entry = newest(vault)
    assert entry is not None
    for site in ("near", "far"):
        assert verified(site_of(site), entry, keys).manifest_sha256 == entry.manifest_sha256
        assert not [name for name in site_of(site).files() if name.endswith(".part")]


def one(vault: Vault, at: datetime) -> Walker:
    """The backup of one customer alone."""
    vault.set_to(at)
    on = str(night_of(at).on)
    return Walker(vault.records, one_customer.PROCESS, CUSTOMER, on, {"night": on})


def nights(vault: Vault, count: int) -> None:
    for day in range(count):
        assert one(vault, START + day * DAY).enter() == one_customer.VERIFIED


def again(vault: Vault, walker: Walker, at: datetime) -> str | None:
    vault.set_to(at)
    return walker.enter()


@pytest.mark.parametrize("file", [PART, MANIFEST])
@pytest.mark.parametrize(
    "lie",
    [
        pytest.param("flips a bit on write", marks=pytest.mark.long),
        pytest.param("keeps nothing and tells a size", marks=pytest.mark.long),
        "gives a flipped bit",
        "loses the rename",
    ],
)
def test_with_a_second_site_that_lies_nothing_is_verified(
    vault: Vault, liar: Liar, lie: str, file: str
) -> None:
    liar.lie, liar.only, liar.place = lie, file, 100
    walker = one(vault, START)
    with pytest.raises(BackupError):
        walker.enter()
    assert newest(vault) is None
    assert vault.kept("near", CUSTOMER) == ["2026-11-24-000001"]
    assert vault.events(CUSTOMER)["backup:set:verified"] == 0
    liar.lie = ""
    assert again(vault, walker, START + 6 * MINUTES) == one_customer.VERIFIED
    assert_good(vault)
    assert vault.events(CUSTOMER)["backup:set:verified"] == 1


def test_a_manifest_of_an_earlier_attempt_is_not_taken_for_the_one_that_was_written(
    vault: Vault, liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first attempt wrote it, with tools of other versions, and could not read it back.
    liar.lie, liar.only = "gives a flipped bit", MANIFEST
    walker = one(vault, START)
    with pytest.raises(BackupError):
        walker.enter()
    monkeypatch.setattr("tasks.backup.writing.version", lambda name: "0" * len(version(name)))
    liar.lie = "keeps the older file"
    vault.set_to(START + 6 * MINUTES)
    with pytest.raises(ManifestNotOfLedger):
        walker.enter()
    assert newest(vault) is None
    liar.lie = ""
    assert again(vault, walker, START + 30 * MINUTES) == one_customer.VERIFIED
    assert_good(vault)


def test_another_host_key_at_the_second_site(vault: Vault, liar: Liar) -> None:
    other = paramiko.ECDSAKey.generate()
    site = liar.site(host_key=f"{other.get_name()} {other.get_base64()}")
    site.save("far", overwrite=True)
    walker = one(vault, START)
    with pytest.raises(SiteKeyChanged):
        walker.enter()
    assert newest(vault) is None
    assert vault.kept("far", CUSTOMER) == []
    assert len(vault.kept("near", CUSTOMER)) == 1
    liar.site().save("far", overwrite=True)
    assert again(vault, walker, START + 6 * MINUTES) == one_customer.VERIFIED
    assert_good(vault)


def mounted(folder: Path, size: str) -> None:
    """A small disk; mounting one is root's right, and not every container gives it."""
    mount = shutil.which("mount")
    words = [mount or "mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if mount is None or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk here")


@pytest.fixture(params=["near", "far"])
def small(vault: Vault, request: pytest.FixtureRequest) -> Iterator[Path]:
    """One of the two sites is a disk of its own, of 4 MB."""
    folder = vault.folder / request.param
    mounted(folder, "4m")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607 - beside mount


@pytest.mark.parametrize("percent", [pytest.param(1, marks=pytest.mark.long), 50, 99])
def test_a_site_that_is_full_at_some_percent_of_a_dump(vault: Vault, small: Path, percent: int) -> None:
    with sqlite3.connect(vault.database(CUSTOMER)) as connection:
        connection.execute("UPDATE orders SET note = hex(randomblob(5000))")
    connection.close()
    dump = 500_000  # at least: 100 notes of 5,000 bytes that pack no further
    ballast = small / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(small).free - dump * percent // 100 // 4096 * 4096))
    walker = one(vault, START)
    with pytest.raises(SiteFull):
        walker.enter()
    other = "far" if small.name == "near" else "near"
    assert newest(vault) is None
    assert PART in {path.name for path in (vault.folder / other / CUSTOMER).rglob("*")}
    assert not list((small / CUSTOMER).rglob("*.age*"))
    ballast.unlink()
    assert again(vault, walker, START + 6 * MINUTES) == one_customer.VERIFIED
    assert_good(vault)


def test_a_second_site_that_cannot_be_written_is_told_once_and_tried_again(vault: Vault) -> None:
    far = vault.folder / "far"
    mounted(far, "4m")
    try:
        subprocess.run(["mount", "-o", "remount,ro", str(far)], check=True)  # noqa: S607 - beside mount
        with pytest.raises(SiteReadOnly):
            one(vault, START - DAY).enter()
        walker = vault.night(START)
        for minutes in (0, 6, 30):
            assert again(vault, walker, START + minutes * MINUTES) is None
        assert newest(vault) is None
        assert len(vault.kept("near", CUSTOMER)) == 2
        assert len(vault.mails()) == 1, "once a night, not at each attempt"
        subprocess.run(["mount", "-o", "remount,rw", str(far)], check=True)  # noqa: S607 - beside mount
        assert again(vault, walker, START + 100 * MINUTES) == night.VERIFIED
        assert_good(vault)
    finally:
        subprocess.run(["umount", str(far)], check=True)  # noqa: S607 - beside mount


@pytest.mark.clause("S-2.4.7")
@pytest.mark.parametrize(
    "by", [TEN_DAYS, pytest.param(-TEN_DAYS, marks=pytest.mark.long)], ids=["forward", "back"]
)
def test_a_clock_that_jumps_between_nights_deletes_nothing_and_is_told(vault: Vault, by: timedelta) -> None:
    nights(vault, 8)
    before = in_ledger(vault)
    assert len(before) == 7
    assert one(vault, START + 8 * DAY + by).enter() == one_customer.VERIFIED
    assert in_ledger(vault) == [*before, "000009"]
    assert vault.kept("far", CUSTOMER) == vault.kept("near", CUSTOMER)
    assert len(vault.kept("far", CUSTOMER)) == 8
    found = vault.events(CUSTOMER)
    assert found["backup:set:deleted"] == 1
    assert found["backup:history:overstayed"] == (7 if by > timedelta() else 0)
    vault.set_to(START + 9 * DAY + max(by, timedelta()))
    if by > timedelta():
        watch.told(vault.records)
        assert vault.events(CUSTOMER)["backup:night:missed"] == 10


@pytest.mark.clause("S-2.4.7")
@pytest.mark.parametrize(
    "by", [pytest.param(TEN_DAYS, marks=pytest.mark.long), -TEN_DAYS], ids=["forward", "back"]
)
def test_a_clock_that_jumps_within_a_night_deletes_nothing(
    vault: Vault, by: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights(vault, 7)
    walker = one(vault, START + 7 * DAY)
    original = one_customer._written

    def jumping(case: CaseRun, *given: Any) -> Any:
        written = original(case, *given)
        vault.set_to(START + 7 * DAY + by)
        return written

    monkeypatch.setattr(one_customer, "_written", jumping)
    walker.enter()
    assert in_ledger(vault) == [f"{number:06}" for number in range(1, 9)]
    assert vault.events(CUSTOMER)["backup:set:deleted"] == 0


@pytest.mark.clause("S-2.4.7")
def test_after_36_hours_without_success_it_is_told_and_nothing_is_deleted(vault: Vault) -> None:
    nights(vault, 3)
    last = START + 2 * DAY
    vault.set_to(last + timedelta(hours=35))
    assert CUSTOMER not in alarming(vault)
    for day in range(10):
        vault.set_to(last + timedelta(hours=37) + day * DAY)
        assert CUSTOMER in alarming(vault)
        for _ in range(2):
            watch.told(vault.records)
        assert len(vault.mails()) == day + 1, "once a day"
        assert CUSTOMER in str(vault.mails()[-1])
    assert in_ledger(vault) == ["000001", "000002", "000003"]
    assert one(vault, START + 13 * DAY).enter() == one_customer.VERIFIED
    assert len(in_ledger(vault)) == 4
    assert CUSTOMER not in alarming(vault)
    assert one(vault, START + 14 * DAY).enter() == one_customer.VERIFIED
    assert in_ledger(vault) == ["000004", "000005"]


def alarming(vault: Vault) -> set[str]:
    with vault.records.read() as tx:
        return {each.customer for each in ages.ages(tx) if each.alarms}


@pytest.mark.clause("S-2.4.7")
@pytest.mark.parametrize("rows", [0, pytest.param(79, marks=pytest.mark.long)])
def test_a_source_that_is_empty_or_shrunk_does_not_end_what_was_there(vault: Vault, rows: int) -> None:
    nights(vault, 7)
    vault.fill(CUSTOMER, rows)
    assert one(vault, START + 7 * DAY).enter() == one_customer.SHRUNK
    assert vault.events(CUSTOMER)["backup:set:shrunk"] == 1
    assert len(in_ledger(vault)) == 8, "the eighth night ends the first, but not this one"
    again_shrunk = one(vault, START + 8 * DAY).enter() == one_customer.SHRUNK
    assert again_shrunk == (rows == 0)
    assert len(in_ledger(vault)) == (9 if rows == 0 else 7), "an empty one never ends one that was not"


def test_a_key_that_is_lost_is_not_made_anew_under_its_name(vault: Vault) -> None:
    nights(vault, 1)
    keys = BackupKeys(vault.records.keys.folder)
    (keys.folder / f"{CUSTOMER}.1.age-key").unlink()
    assert one(vault, START + DAY).enter() == one_customer.VERIFIED
    entry = newest(vault)
    assert entry is not None
    assert entry.key_id == f"{CUSTOMER}.2"
    assert vault.events(CUSTOMER)["backup:key:made"] == 2
    with pytest.raises(BackupKeyLost):
        keys.identity(f"{CUSTOMER}.1")
    assert_good(vault)


def test_a_wrong_key_in_the_place_of_the_right_one_opens_nothing(vault: Vault) -> None:
    nights(vault, 1)
    keys = BackupKeys(vault.records.keys.folder)
    keys.recipient("fenwick")
    shutil.copy(keys.folder / "fenwick.1.age-key", keys.folder / f"{CUSTOMER}.1.age-key")
    entry = newest(vault)
    assert entry is not None
    (part,) = verified(site_of("far"), entry, keys).manifest.parts
    name, key_id = f"{CUSTOMER}/{entry.set_id}/{part.name}", f"{CUSTOMER}.1"
    with pytest.raises(PartNotForKey):
        list(opened(site_of("far"), name, part, keys.identity(key_id), key_id))


def test_a_second_site_on_the_server_of_the_source_is_refused(vault: Vault) -> None:
    here = SqliteSource(path=vault.database(CUSTOMER)).server()
    FolderSite(folder=vault.folder / "far", machine=here).save("far", overwrite=True)
    with pytest.raises(OneServer):
        one(vault, START).enter()
    assert vault.kept("near", CUSTOMER) == []
