"""A backup is whole or refused, goes from each database to each, and comes back asking."""

from __future__ import annotations

import random
import shutil
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from nakoming.agreement.gate_rules import Verb
from nakoming.records import (
    answers,
    cases,
    documents,
    evidence_check,
    heads,
    migrate,
    outbox,
    resource_leases,
    schema,
    steps,
    wake_ups,
)
from nakoming.records.backup import backup, restore
from nakoming.records.backup_file import TRAILER_SIZE, BackupDamaged, BackupRefused, digest_of
from nakoming.records.engine import writing
from nakoming.records.errors import RecordsTooNew, StorageFull
from nakoming.records.events import Event
from nakoming.records.store import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.harness.postgres import PostgresServer
    from tests.nakoming.records.conftest import World


@pytest.fixture
def used(world: World) -> World:
    """Records with something in every corner: a case under way, one that waits, one that ended."""
    lease = world.held(title="a new field")
    documents.add(world.records, "acme", "spec.txt", b"what is wanted", by="acme:anna")
    gate = world.gate(lease, due_by=world.now() + timedelta(days=1))
    world.give(gate, "anna", Verb.APPROVE, remark="good")
    with world.records.write() as tx:
        steps.record(tx, lease, "note/1", "d", {"n": 1}, output_digest="o")
        wake_ups.plan(tx, lease.case_id, kind="instant", name="i", at=tx.now, label="i")
        wake_ups.shown_as(tx, wake_ups.pending(tx, lease.case_id)[0].id, "run-1")
        resource_leases.take(tx, "environment/acme", world.owner, lease=timedelta(hours=1))
        outbox.claim(tx, world.owner, limit=1)
    child = world.held()
    with world.records.write() as tx:
        parent = update(schema.cases).where(schema.cases.c.id == lease.case_id)
        tx.connection.execute(parent.values(parent_id=child.case_id))
        cases.wait(tx, child, [])
    ended = world.held()
    with world.records.write() as tx:
        cases.close(tx, ended, "done")
    with world.records.write() as tx:
        heads.note_head_sent(tx, "acme")
    return world


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, used: World, folder: Path) -> Iterator[Records]:
    """An empty database of each kind, with the keys of the one that was backed up."""
    places = {"keys": used.records.keys.folder, "documents": folder / "restored"}
    if request.param == "sqlite":
        yield Records(f"sqlite:///{folder / 'new' / 'restored.sqlite'}", **places)
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database() as name:
            yield Records(server.url(name), **places)


def _rows(records: Records) -> dict[str, list[dict[str, Any]]]:
    with records.snapshot() as tx:
        return {
            table.name: [
                row._asdict()
                for row in tx.connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in schema.metadata.sorted_tables
        }


def _is_empty(records: Records) -> bool:
    database = records.engine.url.database or ""
    if records.engine.dialect.name == "sqlite" and not Path(database).exists():
        return True
    with records.engine.connect() as connection:
        return migrate.current(connection) is None


def test_what_comes_back_is_what_there_was(used: World, empty: Records, folder: Path) -> None:
    before = _rows(used.records)
    manifest = backup(used.records, folder / "records.tar")
    assert manifest.rows == {name: len(rows) for name, rows in before.items()}
    restored = restore(folder / "records.tar", empty)
    assert restored.findings == ()
    after = _rows(empty)
    same = {"agreements", "answers", "case_facts", "case_runs", "documents", "gates", "links", "steps"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after["evidence"][: len(before["evidence"])] == before["evidence"]
    assert [row["event"] for row in after["evidence"] if row["chain"] == "vendor"] == [Event.RECORDS_RESTORED]
    with empty.read() as tx:
        [document] = [documents.get(tx, "acme", row["id"]) for row in after["documents"]]
        [gate] = after["gates"]
        assert [answer.remark for answer in answers.of_gate(tx, gate["id"])] == ["good"]
    assert documents.content(empty, document) == b"what is wanted"


def test_a_restored_ledger_asks_before_it_does_anything_again(
    used: World, empty: Records, folder: Path
) -> None:
    before = _rows(used.records)
    backup(used.records, folder / "records.tar")
    restored = restore(folder / "records.tar", empty)
    after = _rows(empty)
    assert restored.asking == 2
    for old, new in zip(before["cases"], after["cases"], strict=True):
        live = old["state"] != "closed"
        assert new["ask_everything"] is live
        assert (new["lease_owner"], new["lease_epoch"]) == (None, old["lease_epoch"] + live)
        assert (new["state"], new["parent_id"]) == (old["state"], old["parent_id"])
        assert (new["wake_at"] is not None) is (old["state"] == "open")
    mails = after["outbox"]
    assert {mail["state"] for mail in mails} == {"queued"}
    assert [mail["message_id"] for mail in mails] == [mail["message_id"] for mail in before["outbox"]]
    assert restored.mails == len(mails)
    assert [(row["owner"], row["epoch"]) for row in after["resource_leases"]] == [(None, 2)]
    assert {row["prefect_run_id"] for row in after["wake_ups"]} == {None}


def test_heads_that_left_after_the_backup_are_known_as_lost(
    used: World, empty: Records, folder: Path
) -> None:
    backup(used.records, folder / "records.tar")
    end = used.events()
    used.held()
    with used.records.write() as tx:
        heads.note_head_sent(tx, "acme")
    restored = restore(folder / "records.tar", empty)
    assert [finding.kind for finding in restored.findings] == ["restored"]
    assert f"from a backup that ended at {len(end)}" in restored.findings[0].text
    with empty.write() as tx:  # the chain goes on; what is cut off from now on is found again
        tx.prove(Event.CASE_CLOSED, "acme", {})
        tx.prove(Event.CASE_CLOSED, "acme", {})
    with empty.write() as tx:
        heads.note_head_sent(tx, "acme")
    assert not any(finding.is_damage for finding in evidence_check.verify(empty))
    with empty.engine.connect() as connection, writing(connection).begin():
        for table in (schema.evidence, schema.evidence_payloads):
            gone = table.delete().where(table.c.chain == "acme", table.c.seq == len(end) + 2)
            connection.execute(gone)
    assert any(finding.is_damage for finding in evidence_check.verify(empty))


def test_the_vendors_chain_tells_of_the_backup(used: World, folder: Path) -> None:
    manifest = backup(used.records, folder / "records.tar")
    assert used.events("vendor") == [Event.RECORDS_BACKED_UP]
    assert manifest.heads["acme"][0] == len(used.events())
    with (folder / "records.tar").open("rb") as file:
        size = (folder / "records.tar").stat().st_size - TRAILER_SIZE
        assert digest_of(file, size) == manifest.sha256
    with tarfile.open(folder / "records.tar") as tar:  # any tool opens it
        assert not [name for name in tar.getnames() if name.startswith("keys/")]
    assert sorted(path.name for path in folder.glob("*.part")) == []


def test_keys_go_along_only_when_asked_for(used: World, folder: Path) -> None:
    backup(used.records, folder / "records.tar")
    backup(used.records, folder / "whole.tar", with_keys=True)
    new = {"keys": folder / "new-keys", "documents": folder / "new-documents"}
    without = Records(f"sqlite:///{folder / 'a.sqlite'}", **new)
    with pytest.raises(BackupRefused, match="the keys of acme are not in"):
        restore(folder / "records.tar", without)
    assert _is_empty(without)
    restored = restore(folder / "whole.tar", without)
    assert restored.findings == ()
    assert len(cases_of(without)) == 3


def cases_of(records: Records) -> list[cases.Case]:
    """All cases, which takes the keys."""
    with records.read() as tx:
        return cases.listed(tx)


def _flipped(tar: Path, position: int) -> None:
    with tar.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 0x10]))


def _without(tar: Path, name: str) -> None:
    """Take a member out, and write the rest as if it had always been so."""
    whole = tar.with_name("whole.tar")
    shutil.copy(tar, whole)
    with tarfile.open(whole) as old, tarfile.open(tar, "w") as new:
        for info in old.getmembers():
            if info.name != name:
                new.addfile(info, old.extractfile(info))
    with tar.open("rb") as file:
        digest = digest_of(file)
    with tar.open("ab") as file:
        file.write(f"sha256:{digest}\n".encode())


_DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut in half": lambda tar: tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 2]),
    "one byte short": lambda tar: tar.write_bytes(tar.read_bytes()[:-1]),
    "one byte long": lambda tar: tar.write_bytes(tar.read_bytes() + b"\n"),
    "empty": lambda tar: tar.write_bytes(b""),
    "a table is missing": lambda tar: _without(tar, "tables/steps.jsonl"),
    "the manifest is missing": lambda tar: _without(tar, "manifest.json"),
    "another file": lambda tar: tar.write_bytes(b"x" * 5000),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_backup_is_refused_in_a_sentence_and_changes_nothing(
    used: World, empty: Records, folder: Path, damage: str
) -> None:
    backup(used.records, folder / "records.tar")
    _DAMAGES[damage](folder / "records.tar")
    with pytest.raises(BackupDamaged) as refused:
        restore(folder / "records.tar", empty)
    assert str(refused.value).startswith(f"The backup {folder / 'records.tar'} is damaged (")
    assert _is_empty(empty)
    assert not empty.documents_folder.exists()


def test_a_flipped_byte_anywhere_is_found(used: World, folder: Path) -> None:
    tar = folder / "records.tar"
    backup(used.records, tar)
    whole = tar.read_bytes()
    target = Records(
        f"sqlite:///{folder / 'a.sqlite'}", keys=used.records.keys.folder, documents=folder / "none"
    )
    sample = random.Random(2026).sample(range(len(whole)), 150)  # noqa: S311 - a sample, no secret
    for position in [*sample, *range(len(whole) - TRAILER_SIZE, len(whole))]:
        _flipped(tar, position)
        with pytest.raises(BackupDamaged):
            restore(tar, target)
        _flipped(tar, position)
    assert tar.read_bytes() == whole
    assert _is_empty(target)


def test_a_database_that_holds_records_is_left_alone(used: World, folder: Path) -> None:
    backup(used.records, folder / "records.tar")
    before = _rows(used.records)
    with pytest.raises(
        BackupRefused, match=r"the database holds records already \(\d+ in .*\); it must be empty"
    ):
        restore(folder / "records.tar", used.records)
    assert _rows(used.records) == before


def test_a_backup_of_a_newer_program_is_refused(used: World, empty: Records, folder: Path) -> None:
    backup(used.records, folder / "records.tar")
    with used.records.engine.connect() as connection, writing(connection).begin():
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RecordsTooNew):
        backup(used.records, folder / "newer.tar")
    assert not (folder / "newer.tar").exists()
    assert _is_empty(empty)


def test_a_file_of_that_name_is_never_overwritten(used: World, folder: Path) -> None:
    (folder / "records.tar").write_text("precious")
    with pytest.raises(BackupRefused, match="there is a file of that name"):
        backup(used.records, folder / "records.tar")
    assert (folder / "records.tar").read_text() == "precious"


def test_a_full_disk_leaves_no_half_backup(used: World, folder: Path) -> None:
    for number in range(6):
        documents.add(used.records, "acme", f"{number}.txt", f"{number}".encode() * 9000, by="acme:anna")
    program = """
        import resource
        from nakoming.records.backup import backup
        from nakoming.records.errors import StorageFull
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        try:
            backup(records, Path(arguments[0]))
        except StorageFull as full:
            print(full)
    """
    said = used.python(program, str(folder / "out" / "records.tar")).communicate()[0]
    assert said.startswith(StorageFull.template.partition(" cannot")[0].format(name="records.tar"))
    assert list((folder / "out").iterdir()) == []
