"""A night over a real PostgreSQL database, a folder of documents, and a second site over SFTP, and back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from blocks.backup.scratch_folder import FolderScratch
from blocks.backup.scratch_postgresql import PostgresqlScratch
from nakoming.records import backups
from nakoming.records.backup_keys import BackupKeys
from tasks import installation
from tasks.backup import night, one_customer
from tasks.backup.opening import opened
from tasks.backup.verifying import verified
from tests.blocks.conftest import sshd_in
from tests.faults.backup_world import CUSTOMER, NIGHT, backup_world
from tests.harness.installation import Walker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blocks.backup.protocol import Scratch
    from tests.blocks.conftest import Sshd
    from tests.faults.backup_world import BackupWorld
    from tests.harness.postgres import PostgresServer
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-2.4.2", "S-2.4.6", "S-2.4.7")
SCRATCH = "nakoming_scratch_night"


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    (tmp_path / "sshd").mkdir()
    with sshd_in(tmp_path / "sshd") as found:
        yield found


@contextmanager
def at_work(world: BackupWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process work for that installation."""
    monkeypatch.setenv("NAKOMING_HOME", str(world.order["home"]))
    monkeypatch.setenv("NAKOMING_RECORDS_URL", world.order["records_url"])
    for cached in (installation.settings, installation.records):
        cached.cache_clear()
    yield
    installation.records().engine.dispose()
    for cached in (installation.settings, installation.records):
        cached.cache_clear()


@pytest.mark.postgres
def test_what_a_night_kept_over_sftp_is_restored_as_it_was(
    tmp_path: Path,
    prefect_api: PrefectServer,
    postgres_server: PostgresServer,
    sshd: Sshd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "scratch").mkdir()
    server = postgres_server
    with backup_world(prefect_api.api_url, sshd, server) as world, at_work(world, monkeypatch):
        walker = Walker(world.records, night.PROCESS, "vendor", NIGHT, {"night": NIGHT})
        assert walker.enter() == night.VERIFIED
        damage = world.damage()
        assert damage.is_none, damage
        scratch = PostgresqlScratch(host=server.host, port=server.port, username="postgres")
        restored(world, "database.age", scratch)
        restored(world, "documents.age", FolderScratch(folder=tmp_path / "scratch"))


def test_a_new_key_amid_a_backup_seals_none_of_its_parts(
    tmp_path: Path, prefect_api: PrefectServer, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    original = one_customer._complete
    with backup_world(prefect_api.api_url, sshd, None) as world, at_work(world, monkeypatch):

        def rotating(*given: Any) -> None:
            BackupKeys(world.records.keys.folder).rotate(CUSTOMER)
            original(*given)

        monkeypatch.setattr(one_customer, "_complete", rotating)
        walker = Walker(world.records, one_customer.PROCESS, CUSTOMER, NIGHT, {"night": NIGHT})
        assert walker.enter() == one_customer.VERIFIED
        restored(world, "documents.age", FolderScratch(folder=tmp_path / "scratch"))


def restored(world: BackupWorld, name: str, scratch: Scratch) -> None:
    """Restore a part from the second site, and count it."""
    keys = BackupKeys(world.records.keys.folder)
    with world.records.read() as tx:
        entry = backups.newest_verified(tx, CUSTOMER)
    assert entry is not None
    manifest = verified(world.sites[1], entry, keys).manifest
    part = next(each for each in manifest.parts if each.name == name)
    identity = keys.identity(manifest.key_id)
    blocks = opened(world.sites[1], f"{manifest.folder}/{name}", part, identity, manifest.key_id)
    scratch.restore(SCRATCH, blocks, frozenset())
    facts = scratch.facts(SCRATCH)
    assert facts.total_rows > 0
    assert (dict(facts.rows), dict(facts.checksums)) == (part.facts.rows, part.facts.checksums)
    assert scratch.check(SCRATCH)
    scratch.drop(SCRATCH)
