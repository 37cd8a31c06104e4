"""PostgreSQL: every common type, and all that may happen to a dump while it goes on."""

from __future__ import annotations

import signal
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from blocks.backup.errors import BackupError, DumpFailed, SourceUnreachable, ToolMissing
from blocks.backup.facts_postgresql import SequenceName
from blocks.backup.pg_sequences import SequencesInDump
from blocks.backup.scratch_postgresql import PostgresqlScratch
from blocks.backup.source_postgresql import PostgresqlSource
from tests.blocks.backup.backup_contract import NAME, SourceContract, dumped
from tests.harness.postgres import PostgresServer, postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERYTHING = (Path(__file__).parent / "everything.sql").read_text(encoding="utf-8")


@dataclass
class PostgresPeer:
    """A database with everything in it."""

    server: PostgresServer
    name: str

    def __post_init__(self) -> None:
        self.source = self.block()
        self.scratch = PostgresqlScratch(host=self.server.host, port=self.server.port, username="postgres")

    def block(self, **changes: object) -> PostgresqlSource:
        given: dict[str, object] = {
            "host": self.server.host,
            "port": self.server.port,
            "username": "postgres",
            "database": self.name,
        }
        return PostgresqlSource.model_validate(given | changes)

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.server.url(self.name, "postgresql"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def change(self) -> None:
        self.run("UPDATE everything SET note = note || ' ' WHERE id = 1")


@pytest.fixture(scope="module")
def template(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as name:
        PostgresPeer(postgres_server, name).run(EVERYTHING)
        yield name


@pytest.fixture
def peer(postgres_server: PostgresServer, template: str) -> Iterator[PostgresPeer]:
    with postgres_server.database(template) as name:
        yield PostgresPeer(postgres_server, name)


class TestPostgresql(SourceContract):
    """All of the contract."""


CHANGES = {
    "an enum": "UPDATE everything SET mood = 'bad' WHERE id = 1",
    "a json's space": "UPDATE everything SET plain = '{\"a\": 1}' WHERE id = 1",
    "an interval of the same length": "UPDATE everything SET span = '30 days' WHERE id = 1",
    "a point": "UPDATE everything SET place = '(1,2.0000000000000004)' WHERE id = 1",
    "one byte": "UPDATE everything SET raw = '\\x0001fe' WHERE id = 1",
    "a microsecond": "UPDATE everything SET at = at + interval '1 microsecond' WHERE id = 1",
    "nothing instead of an empty text": "UPDATE everything SET other = NULL WHERE id = 1",
    "an element": "UPDATE everything SET parts[2] = 'c' WHERE id = 1",
    "NaN": "UPDATE everything SET price = 1 WHERE id = 2",
    "a partition": "UPDATE events_2026 SET what = 'b'",
    "a large object": "SELECT lo_put(4711, 1500000, 'x')",
    "a sequence": "SELECT nextval('\"Odd ''Seq\"')",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_any_change_of_a_value_is_seen(peer: PostgresPeer, change: str) -> None:
    _, before = dumped(peer.source)
    peer.run(change)
    _, after = dumped(peer.source)
    assert after.rows == before.rows
    assert sum(before.checksums[key] != after.checksums[key] for key in before.checksums) == 1


def test_all_that_is_there_is_in_the_facts(peer: PostgresPeer) -> None:
    _, facts = dumped(peer.source)
    assert facts.rows['public."Ünï ""quoted"" täble"'] == 1
    assert facts.rows["public.empty"] == 0
    assert facts.rows["public.nothing"] == 2
    assert facts.rows["public.events_2026"] == 1
    assert "public.events" not in facts.rows, "a partitioned table holds no rows of its own"
    assert facts.rows["public.parent"] == 1, "not those of its child as well"
    assert facts.rows["large objects"] == 1
    assert facts.checksums['sequence:public."Odd \'Seq"'] == "42 next"
    assert "1 materialized views" in facts.checksums["objects"]
    assert facts.position
    assert facts.tools["pg_dump"].split(".")[0] == facts.tools["postgresql"].split(".")[0]


def test_the_order_of_rows_does_not_matter_but_how_often_they_are_there_does(peer: PostgresPeer) -> None:
    peer.run(
        "CREATE TABLE a (n int, t text)", "CREATE TABLE b (n int, t text)", "CREATE TABLE c (n int, t text)"
    )
    peer.run("INSERT INTO a VALUES (1, 'x'), (2, 'y')", "INSERT INTO b VALUES (2, 'y'), (1, 'x')")
    peer.run("INSERT INTO c VALUES (1, 'x'), (1, 'x'), (2, 'y'), (2, 'y')")
    sums = dumped(peer.source)[1].checksums
    assert sums["public.a"] == sums["public.b"] != sums["public.c"]


def test_a_sequence_in_use_is_told_as_the_dump_holds_it(peer: PostgresPeer) -> None:
    """It knows no snapshot: here it moves while the dump goes on."""
    with peer.source.dump() as dump:
        peer.run("SELECT nextval('everything_id_seq') FROM generate_series(1, 1000)")
        blocks = list(iter(dump.read, b""))
        facts = dump.facts()
    peer.scratch.restore(NAME, blocks, frozenset())
    assert peer.scratch.facts(NAME).checksums == facts.checksums
    peer.scratch.drop(NAME)


def test_sequences_are_found_wherever_blocks_are_cut(peer: PostgresPeer) -> None:
    with peer.source.dump() as dump:
        head = b"".join(iter(dump.read, b""))
        told = {key: value for key, value in dump.facts().checksums.items() if key.startswith("sequence:")}
    for size in (1, 7, 64):
        seen = SequencesInDump(
            [SequenceName('public."Odd \'Seq"', "public", "Odd 'Seq"), SequenceName("x.y", "x", "y")]
        )
        for start in range(0, min(len(head), 200_000), size):
            seen.look(head[start : start + size])
        assert seen.values.items() <= told.items()
        assert seen.lacking == ["sequence:x.y"]


def test_writers_go_on_and_the_dump_holds_its_snapshot(peer: PostgresPeer) -> None:
    with peer.source.dump() as dump:
        peer.run("DELETE FROM lines", "INSERT INTO empty VALUES (1)", "CREATE TABLE later (a int)")
        blocks = list(iter(dump.read, b""))
        facts = dump.facts()
    peer.scratch.restore(NAME, blocks, frozenset())
    assert peer.scratch.facts(NAME).checksums == facts.checksums
    assert facts.rows["public.empty"] == 0
    assert facts.rows["public.orders"] == 20_000
    peer.scratch.drop(NAME)


def test_a_table_cannot_be_dropped_midway(peer: PostgresPeer) -> None:
    with peer.source.dump() as dump:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            peer.run("SET lock_timeout = '50ms'", "DROP TABLE orders")
        while dump.read():
            pass
        assert dump.facts().rows["public.orders"] == 20_000


def test_a_table_that_somebody_holds_ends_in_a_sentence(peer: PostgresPeer) -> None:
    with closing(psycopg.connect(peer.server.url(peer.name, "postgresql"))) as holder:
        holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        impatient = peer.block(lock_timeout=0.1)
        with pytest.raises(DumpFailed, match="lock timeout"), impatient.dump():
            pass


def children(name: str) -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.name() == name]


@pytest.mark.parametrize("tenth", range(10))
def test_a_killed_pg_dump_is_never_a_good_end(peer: PostgresPeer, tenth: int) -> None:
    peer.run("INSERT INTO orders SELECT i, repeat('x', 100) FROM generate_series(20001, 80000) i")
    got = 0
    with pytest.raises(DumpFailed, match="signal 9"), peer.source.dump() as dump:  # noqa: PT012 (the kill belongs to it)
        while got < tenth * 600_000:
            got += len(dump.read(100_000))
        for child in psutil.Process().children():
            if "pg_dump" in child.name() or "setpriv" in child.name():
                child.send_signal(signal.SIGKILL)
        while dump.read():
            pass


def test_what_was_begun_ends_with_the_block(peer: PostgresPeer) -> None:
    with peer.source.dump() as dump:
        dump.read(10)
        assert children("pg_dump")
    assert not children("pg_dump")
    with psycopg.connect(peer.server.url(driver="postgresql")) as connection:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        assert connection.execute(asked, (peer.name,)).fetchone() == (0,)


def test_a_killed_count_is_told(peer: PostgresPeer) -> None:
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    with pytest.raises(BackupError), peer.source.dump() as dump:  # noqa: PT012 (the kill belongs to it)
        with psycopg.connect(peer.server.url(driver="postgresql"), autocommit=True) as connection:
            connection.execute(kill, (peer.name,))
        while dump.read():
            pass
        dump.facts()


def test_a_server_that_dies_midway_ends_the_dump() -> None:
    with postgres() as server:
        with server.database() as name:
            pass
        with psycopg.connect(server.url(driver="postgresql"), autocommit=True) as connection:
            connection.execute("CREATE TABLE t AS SELECT repeat('x', 500) FROM generate_series(1, 200000)")
            leader = connection.execute("SELECT pg_postmaster_start_time()").fetchone()
        assert name
        assert leader
        source = PostgresqlSource(
            host=server.host, port=server.port, username="postgres", database="postgres"
        )
        with pytest.raises(BackupError), source.dump() as dump:  # noqa: PT012 (the kill belongs to it)
            dump.read(10)
            for process in psutil.process_iter(["cmdline"]):
                if str(server.port) in (process.info["cmdline"] or []) and "postgres" in process.name():
                    # Held still first: when one backend dies it ends the others itself, and they are gone
                    # before their turn comes.
                    process.suspend()
                    # Its backends too: one that is alone sends the rest of its rows before it notices.
                    for each in (*process.children(recursive=True), process):
                        each.send_signal(signal.SIGKILL)
            while dump.read():
                pass
        with pytest.raises(SourceUnreachable):
            source.check()


def test_a_password_is_never_shown(peer: PostgresPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_PASSWORD", "tomato-sesame-77")
    block = peer.block(password="env:BACKUP_PASSWORD", username="tomato-sesame-77")
    with pytest.raises(SourceUnreachable) as caught:
        block.check()
    assert "tomato-sesame-77" not in str(caught.value)
    with peer.block(password="env:BACKUP_PASSWORD").dump() as dump:
        dump.read(10)
        for child in psutil.Process().children():
            assert "tomato-sesame-77" not in " ".join(child.cmdline())


def test_nobody_there_is_a_sentence(peer: PostgresPeer) -> None:
    with pytest.raises(SourceUnreachable, match="cannot be reached"):
        peer.block(port=1).check()
    with pytest.raises(SourceUnreachable, match="does not exist"):
        peer.block(database="not_there").check()


def test_an_old_or_missing_pg_dump_is_refused(peer: PostgresPeer, tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match=r"pg_dump .* which is not in"):
        peer.block(tools_folder=tmp_path).check()
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.3'\n".replace("9.6.3", "11.22"))
    old.chmod(0o755)
    with pytest.raises(ToolMissing, match=r"version 11\.22: older than the server's"):
        peer.block(tools_folder=tmp_path).check()


def test_a_damaged_index_is_found(peer: PostgresPeer) -> None:
    peer.scratch.restore(NAME, dumped(peer.source)[0], frozenset())
    with psycopg.connect(peer.server.url(NAME, "postgresql"), autocommit=True) as connection:
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_pkey'::regclass"
        )
    with pytest.raises(BackupError, match="orders_pkey is not valid"):
        peer.scratch.check(NAME)
    peer.scratch.drop(NAME)


def test_another_encoding_comes_back_the_same(postgres_server: PostgresServer) -> None:
    made = "CREATE DATABASE nakoming_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
    with psycopg.connect(postgres_server.url(driver="postgresql"), autocommit=True) as connection:
        connection.execute(made)
        try:
            latin = PostgresPeer(postgres_server, "nakoming_latin")
            latin.run("CREATE TABLE t (a text)", "INSERT INTO t VALUES (chr(233) || 'é')")
            blocks, facts = dumped(latin.source)
            latin.scratch.restore(NAME, blocks, latin.source.names())
            assert latin.scratch.facts(NAME).checksums == facts.checksums
            latin.scratch.drop(NAME)
        finally:
            connection.execute("DROP DATABASE nakoming_latin WITH (FORCE)")
