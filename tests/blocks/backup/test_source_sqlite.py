"""SQLite: one state of a file that others write all the time."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import pytest

from blocks.backup import sqlite_child
from blocks.backup.errors import BackupError, DumpFailed, RestoreDamaged, SnapshotRefused, SourceUnreachable
from blocks.backup.facts_sqlite import FILE as FILE_DIGEST
from blocks.backup.scratch_sqlite import FILE, SqliteScratch
from blocks.backup.source_sqlite import SqliteSource
from tests.blocks.backup.backup_contract import NAME, SourceContract, dumped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLES = """
CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT, price REAL, raw BLOB, n INT);
CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INT REFERENCES orders, any);
CREATE INDEX lines_all ON lines (any, order_id);
CREATE TABLE keyed (a TEXT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID;
CREATE TABLE "Ünï ""quoted"" täble" ("Sélect ""x"" y" TEXT, twice INT GENERATED ALWAYS AS (1 + 1));
CREATE TABLE empty (a);
CREATE VIEW v AS SELECT note FROM orders;
CREATE VIRTUAL TABLE words USING fts5(body);
INSERT INTO orders (note, price, raw, n)
    WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 5000)
    SELECT 'order ' || i, i / 3.0, randomblob(60), CASE WHEN i % 7 THEN i END FROM r;
INSERT INTO lines VALUES (1, 1, 'text'), (2, 1, x'74657874'), (3, 2, 1), (4, 2, 1.5), (5, NULL, NULL);
INSERT INTO lines VALUES (6, 1, 9223372036854775807), (7, 1, -1e999);
INSERT INTO keyed VALUES ('x', 2), ('é 🍅', 1);
INSERT INTO "Ünï ""quoted"" täble" VALUES ('y');
INSERT INTO words VALUES ('some words');
"""
WRITER = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
c.execute("PRAGMA wal_autocheckpoint = 20")
print("writing", flush=True)
n = 0
while True:
    n += 1
    c.execute("BEGIN IMMEDIATE")
    # Always both: a state in which the sums differ was never there.
    c.execute("UPDATE balance SET amount = amount - ? WHERE id = ?", (n, n % 2000 + 1))
    c.execute("UPDATE balance SET amount = amount + ? WHERE id = ?", (n, (n * 7) % 2000 + 1))
    c.execute("INSERT INTO log (note) VALUES (?)", (str(n) * 50,))
    c.execute("DELETE FROM log WHERE id < (SELECT max(id) FROM log) - 500")
    c.execute("COMMIT")
    if n % 50 == 0:
        c.execute("PRAGMA wal_checkpoint(" + ("TRUNCATE" if n % 100 else "RESTART") + ")").fetchall()
"""


@dataclass
class SqlitePeer:
    """A database file, and a folder for restores."""

    path: Path

    def __post_init__(self) -> None:
        folder = self.path.parent / "scratch"
        folder.mkdir(exist_ok=True)
        self.source = SqliteSource(path=self.path)
        self.scratch = SqliteScratch(folder=folder)

    def run(self, script: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(script)

    def change(self) -> None:
        self.run("UPDATE orders SET price = price + 1e-12 WHERE id = 4999")


@pytest.fixture(params=["wal", "delete"])
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> SqlitePeer:
    made = SqlitePeer(tmp_path / "acme.sqlite")
    made.run(f"PRAGMA journal_mode = {request.param}; {TABLES}")
    return made


class TestSqlite(SourceContract):
    """All of the contract, with a write-ahead log and without."""


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE lines SET any = 'text' WHERE id = 2",
        "UPDATE lines SET any = 1.0 WHERE id = 3",
        "UPDATE lines SET any = '' WHERE id = 5",
        "UPDATE keyed SET a = 'X' WHERE b = 2",
        "UPDATE sqlite_sequence SET seq = seq + 1",
        "CREATE INDEX more ON orders (n)",
    ],
)
def test_any_change_of_a_value_is_seen(peer: SqlitePeer, change: str) -> None:
    before = dumped(peer.source)[1].checksums
    peer.run(change)
    after = dumped(peer.source)[1].checksums
    assert sum(before[key] != after[key] for key in before) == 1


def test_all_tables_are_counted(peer: SqlitePeer) -> None:
    rows = dumped(peer.source)[1].rows
    assert rows['Ünï "quoted" täble'] == 1
    assert (rows["orders"], rows["keyed"], rows["empty"], rows["sqlite_sequence"]) == (5000, 2, 0, 1)
    assert "words_content" in rows
    assert "words" not in rows, "a virtual table has no rows of its own"
    assert "v" not in rows


def test_text_that_is_no_utf8_is_taken_too(peer: SqlitePeer) -> None:
    peer.run("INSERT INTO orders (note) VALUES (CAST(x'ff41' AS TEXT))")
    blocks, facts = dumped(peer.source)
    peer.scratch.restore(NAME, blocks, frozenset())
    assert peer.scratch.facts(NAME).checksums == facts.checksums


@contextmanager
def writers(path: Path, number: int) -> Iterator[None]:
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        for _ in range(number)
    ]
    try:
        for each in running:
            assert each.stdout is not None
            assert each.stdout.readline() == b"writing\n"
        yield
        assert all(each.poll() is None for each in running), "a writer failed because of the dump"
    finally:
        for each in running:
            each.kill()
            each.communicate()


def test_the_file_stands_still_while_others_write_and_checkpoint(tmp_path: Path) -> None:
    """Two writers commit, checkpoint and restart the log without a pause, twelve dumps."""
    peer = SqlitePeer(tmp_path / "busy.sqlite")
    peer.run(
        "PRAGMA journal_mode = wal; CREATE TABLE balance (id INTEGER PRIMARY KEY, amount INT, pad TEXT);"
        "CREATE TABLE log (id INTEGER PRIMARY KEY, note TEXT);"
        "INSERT INTO balance WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 2000)"
        " SELECT i, 0, hex(randomblob(1500)) FROM r"
    )
    states = set()
    with writers(peer.path, 2):
        for turn in range(12):
            blocks, facts = dumped(peer.source, 1 << 16 if turn % 2 else 1 << 20)
            peer.scratch.restore(NAME, blocks, frozenset())
            assert peer.scratch.check(NAME)
            assert peer.scratch.facts(NAME).checksums == facts.checksums
            with closing(sqlite3.connect(peer.scratch.place(NAME) / FILE)) as restored:
                assert restored.execute("SELECT sum(amount) FROM balance").fetchone() == (0,)
            states.add(facts.checksums[FILE_DIGEST])
    assert len(states) > 6, "nobody wrote: this proved nothing"


def test_without_the_hold_the_same_play_finds_torn_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check above can fail: a file read while the log is moved into it is not the counted state."""
    path = tmp_path / "torn.sqlite"
    with closing(sqlite3.connect(path)) as writer:
        writer.executescript("PRAGMA journal_mode = wal; CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("UPDATE t SET a = 2")
        writer.commit()
        monkeypatch.setattr(sqlite_child, "_emptied", lambda mover: mover is not None)
        monkeypatch.setattr(
            sqlite_child, "_keep_writers_out", lambda keeper, _: keeper.execute("BEGIN").fetchone()
        )
        with closing(sqlite3.connect(path)) as older:
            older.execute("BEGIN")
            older.execute("SELECT * FROM t").fetchone()
            writer.execute("UPDATE t SET a = 3")
            writer.commit()
            reader = sqlite_child.hold_still(path, 1)
            assert reader.execute("SELECT a FROM t").fetchone() == (3,)
            with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as file:
                assert file.execute("SELECT a FROM t").fetchone() != (3,)


def test_an_old_reader_is_waited_for_and_then_named(tmp_path: Path) -> None:
    peer = SqlitePeer(tmp_path / "acme.sqlite")
    peer.run(f"PRAGMA journal_mode = wal; {TABLES}")
    with closing(sqlite3.connect(peer.path)) as older:
        older.execute("BEGIN")
        older.execute("SELECT count(*) FROM orders").fetchone()
        peer.run("UPDATE orders SET n = 0")
        with pytest.raises(SnapshotRefused, match="older state"):
            dumped(SqliteSource(path=peer.path, lock_timeout=0.3))
    assert dumped(peer.source)[1].rows["orders"] == 5000


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_writer_that_does_not_end_is_named(tmp_path: Path, mode: str) -> None:
    peer = SqlitePeer(tmp_path / "acme.sqlite")
    peer.run(f"PRAGMA journal_mode = {mode}; {TABLES}")
    with closing(sqlite3.connect(peer.path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SnapshotRefused):
            dumped(SqliteSource(path=peer.path, lock_timeout=0.3))


def test_a_writer_past_the_locks_is_found(tmp_path: Path) -> None:
    """A tool that copies pages into the file, say: the digest alone would be that of the torn copy."""
    peer = SqlitePeer(tmp_path / "acme.sqlite")
    peer.run("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(8000000))")
    with peer.source.dump() as dump:
        dump.read(100_000)
        with peer.path.open("r+b") as file:
            file.seek(peer.path.stat().st_size - 100)
            file.write(b"x")
        with pytest.raises(DumpFailed, match="past SQLite's locks"):
            list(iter(dump.read, b""))


def test_a_restore_with_another_byte_says_so(peer: SqlitePeer) -> None:
    """In a free place of a page no check of integrity would find it."""
    blocks, facts = dumped(peer.source)
    whole = bytearray(b"".join(blocks))
    free = whole.find(bytes(64), 200)
    assert free > 0
    whole[free + 32] = 1
    peer.scratch.restore(NAME, [bytes(whole)], frozenset())
    assert peer.scratch.check(NAME)
    assert peer.scratch.facts(NAME).rows == facts.rows
    assert peer.scratch.facts(NAME).checksums != facts.checksums


def children(path: Path) -> list[psutil.Process]:
    found = psutil.Process().children()
    alive = [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if str(path) in child.cmdline()]


@pytest.mark.parametrize("tenth", range(10))
def test_a_killed_child_is_never_a_good_end(tmp_path: Path, tenth: int) -> None:
    peer = SqlitePeer(tmp_path / "acme.sqlite")
    peer.run("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(8000000))")
    got = 0
    with pytest.raises(DumpFailed), peer.source.dump() as dump:  # noqa: PT012 (the kill belongs to it)
        while got < tenth * 600_000:
            got += len(dump.read(100_000))
        for child in children(peer.path):
            child.send_signal(signal.SIGKILL)
        while dump.read():
            pass


def test_no_child_and_no_lock_stays(peer: SqlitePeer) -> None:
    # More than a pipe holds: a child that has given all of a small file may have ended by itself.
    peer.run("CREATE TABLE large (a); INSERT INTO large VALUES (zeroblob(8000000))")
    with peer.source.dump() as dump:
        dump.read(10)
        assert children(peer.path)
    assert not children(peer.path)
    peer.run("VACUUM")


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable, match="No such file"):
        SqliteSource(path=tmp_path / "none").check()
    (tmp_path / "text").write_text("hello " * 1000)
    with pytest.raises(BackupError, match="not a database"):
        dumped(SqliteSource(path=tmp_path / "text"))
    assert not (tmp_path / "none").exists()


def test_damage_is_found(peer: SqlitePeer) -> None:
    whole = bytearray(b"".join(dumped(peer.source)[0]))
    page = int.from_bytes(whole[16:18], "big")
    whole[page : 2 * page] = b"\xff" * page
    peer.scratch.restore(NAME, [bytes(whole)], frozenset())
    with pytest.raises(RestoreDamaged):
        peer.scratch.check(NAME)


def test_a_row_that_refers_to_none_is_found(peer: SqlitePeer) -> None:
    peer.run("INSERT INTO lines VALUES (99, 999999, 1)")
    peer.scratch.restore(NAME, dumped(peer.source)[0], frozenset())
    with pytest.raises(RestoreDamaged, match="refers to none"):
        peer.scratch.check(NAME)
