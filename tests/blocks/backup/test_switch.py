"""A live database and a restored one exchange names, on both engines, cut anywhere, and back again."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from blocks.backup.source_postgresql import PostgresqlSource
from blocks.backup.source_sqlite import SqliteSource
from blocks.backup.switch_postgresql import PostgresqlSwitch
from blocks.backup.switch_protocol import NameInUse, Names, SwitchHeld, SwitchLost
from blocks.backup.switch_sqlite import SqliteSwitch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blocks.backup.protocol import Facts, Source
    from tests.harness.postgres import PostgresServer

pytestmark = pytest.mark.clause("S-2.4.5")
CASE = "f3a1"


class SqlitePlace:
    """A file in a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "suite.sqlite"
        self.source = SqliteSource(path=self.path)
        with closing(sqlite3.connect(self.path)) as made:
            made.execute("PRAGMA journal_mode = WAL")
            made.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
            made.execute("INSERT INTO orders VALUES (1)")
            made.commit()

    def switch(self) -> SqliteSwitch:
        return SqliteSwitch(self.source, CASE)

    def ids(self, name: str | None = None) -> list[int]:
        path = self.switch().placed(name)["path"] if name else self.path
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as found:
            return [row[0] for row in found.execute("SELECT id FROM orders ORDER BY id")]

    def add(self, number: int) -> None:
        with closing(sqlite3.connect(self.path)) as found:
            found.execute("INSERT INTO orders VALUES (?)", (number,))
            found.commit()


class PostgresqlPlace:
    """A database of the tests' server."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.server, self.name = server, name
        self.source = PostgresqlSource(
            host=server.host, port=server.port, username="postgres", database=name, tools_folder=server.bin
        )
        with self.connected() as made:
            made.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        self.add(1)

    @contextmanager
    def connected(self, name: str | None = None) -> Iterator[psycopg.Connection]:
        url = self.server.url(name or self.name, driver="postgresql")
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection

    def switch(self) -> PostgresqlSwitch:
        return PostgresqlSwitch(self.source, CASE)

    def ids(self, name: str | None = None) -> list[int]:
        with self.connected(name) as found:
            return [row[0] for row in found.execute("SELECT id FROM orders ORDER BY id")]

    def add(self, number: int) -> None:
        with self.connected() as found:
            found.execute("INSERT INTO orders VALUES (%s)", (number,))


Place = SqlitePlace | PostgresqlPlace


@pytest.fixture
def sqlite_place(tmp_path: Path) -> SqlitePlace:
    return SqlitePlace(tmp_path)


@pytest.fixture
def postgresql_place(postgres_server: PostgresServer) -> Iterator[PostgresqlPlace]:
    with postgres_server.database() as name:
        place = PostgresqlPlace(postgres_server, name)
        yield place
        for each in ("beside", "former", "undone"):
            place.switch().drop(getattr(place.switch().names, each))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


def dumped(source: Source) -> tuple[list[bytes], Facts]:
    with source.dump() as dump:
        blocks = list(iter(dump.read, b""))
        return blocks, dump.facts()


def restored(place: Place) -> int:
    """A dump of row 1 beside a live database of rows 1 and 2."""
    blocks, facts = dumped(place.source)
    place.add(2)
    switch = place.switch()
    found = switch.restore(blocks)
    assert switch.facts().rows == facts.rows
    assert switch.facts().checksums == facts.checksums
    assert switch.check()
    return found


def test_names_are_exchanged_and_back_again(place: Place) -> None:
    new_id = restored(place)
    switch, names = place.switch(), place.switch().names
    old_id = switch.identity(names.live)
    assert old_id is not None
    for _ in range(2):  # the second time it is done
        switch.exchange(new=names.beside, new_id=new_id, kept=names.former)
        assert place.ids() == [1]
        assert place.ids(names.former) == [1, 2]
        assert switch.identity(names.beside) is None
    place.add(3)
    for _ in range(2):
        switch.exchange(new=names.former, new_id=old_id, kept=names.undone)
        assert place.ids() == [1, 2]
        assert place.ids(names.undone) == [1, 3]
    place.add(4)
    assert switch.drop(names.undone)
    assert not switch.drop(names.undone)
    assert place.ids() == [1, 2, 4]


def test_the_live_one_is_never_dropped_nor_replaced_by_a_stranger(place: Place) -> None:
    new_id = restored(place)
    switch, names = place.switch(), place.switch().names
    with pytest.raises(NameInUse):
        switch.drop(names.live)
    with pytest.raises(SwitchLost):
        switch.exchange(new=names.beside, new_id=new_id + 1000, kept=names.former)
    assert place.ids() == [1, 2]


def test_a_live_database_that_is_gone_is_replaced(place: Place) -> None:
    new_id = restored(place)
    switch, names = place.switch(), place.switch().names
    if isinstance(place, SqlitePlace):
        place.path.unlink()
        for ending in ("-wal", "-shm"):
            place.path.with_name(place.path.name + ending).unlink(missing_ok=True)
    else:
        with place.connected("postgres") as server:
            server.execute(f"DROP DATABASE {place.name}")
    switch.exchange(new=names.beside, new_id=new_id, kept=names.former)
    assert place.ids() == [1]
    assert switch.identity(names.former) is None


def test_names_of_a_long_live_name_differ_and_fit() -> None:
    names = Names.of("d" * 63, CASE)
    assert len({*vars(names).values()}) == 4
    assert max(map(len, vars(names).values())) == 63


@pytest.mark.parametrize("cut", ["linked", "logs"])
def test_a_sqlite_exchange_that_was_cut_goes_on(sqlite_place: SqlitePlace, cut: str) -> None:
    new_id = restored(sqlite_place)
    switch, names = sqlite_place.switch(), sqlite_place.switch().names
    former = sqlite_place.path.with_name(f"{names.former}.sqlite")
    if cut == "linked":
        former.hardlink_to(sqlite_place.path)
    switch.exchange(new=names.beside, new_id=new_id, kept=names.former)
    assert sqlite_place.ids() == [1]
    assert sqlite_place.ids(names.former) == [1, 2]


def test_a_sqlite_file_that_others_have_open_keeps_its_name(
    sqlite_place: SqlitePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blocks.backup.switch_sqlite._PATIENCE_SECONDS", 0.2)
    new_id = restored(sqlite_place)
    switch, names = sqlite_place.switch(), sqlite_place.switch().names
    with closing(sqlite3.connect(sqlite_place.path)) as other:
        other.execute("SELECT * FROM orders").fetchall()
        with pytest.raises(SwitchHeld, match=r"stop the Suite"):
            switch.exchange(new=names.beside, new_id=new_id, kept=names.former)
        assert other.execute("SELECT count(*) FROM orders").fetchone() == (2,)
    assert switch.identity(names.former) is None
    switch.exchange(new=names.beside, new_id=new_id, kept=names.former)
    assert sqlite_place.ids() == [1]


def test_the_log_of_a_damaged_sqlite_file_goes_with_it_and_comes_back(sqlite_place: SqlitePlace) -> None:
    new_id = restored(sqlite_place)
    switch, names = sqlite_place.switch(), sqlite_place.switch().names
    old_id = switch.identity(names.live)
    assert old_id is not None
    damaged, log = b"\0" * 8192, b"a log that is none"
    sqlite_place.path.write_bytes(damaged)
    (wal := sqlite_place.path.with_name("suite.sqlite-wal")).write_bytes(log)
    switch.exchange(new=names.beside, new_id=new_id, kept=names.former)
    assert sqlite_place.ids() == [1]
    former = sqlite_place.path.with_name(f"{names.former}.sqlite")
    assert former.read_bytes() == damaged
    assert former.with_name(f"{former.name}-wal").read_bytes() == log
    switch.exchange(new=names.former, new_id=old_id, kept=names.undone)
    assert sqlite_place.path.read_bytes() == damaged
    assert wal.read_bytes() == log


def test_the_sqlite_file_keeps_its_mode_and_its_log(sqlite_place: SqlitePlace) -> None:
    sqlite_place.path.chmod(0o640)
    new_id = restored(sqlite_place)
    switch, names = sqlite_place.switch(), sqlite_place.switch().names
    old_id = switch.identity(names.live)
    assert old_id is not None
    switch.exchange(new=names.beside, new_id=new_id, kept=names.former)
    assert sqlite_place.path.stat().st_mode & 0o777 == 0o640
    for name, identity in ((None, None), (names.former, old_id)):
        if name and identity:
            switch.exchange(new=name, new_id=identity, kept=names.undone)
        with closing(sqlite3.connect(sqlite_place.path)) as found:
            assert found.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert not list(sqlite_place.path.parent.glob("nakoming_scratch_*"))


@pytest.mark.postgres
def test_postgresql_keeps_owner_rights_settings_and_ends_connections(
    postgresql_place: PostgresqlPlace,
) -> None:
    place, role = postgresql_place, "calamity_owner"
    with place.connected() as live:
        live.execute(f"DROP ROLE IF EXISTS {role}")
        live.execute(f"CREATE ROLE {role}")
        live.execute(f"ALTER DATABASE {place.name} OWNER TO {role}")
        live.execute(f"REVOKE CONNECT ON DATABASE {place.name} FROM PUBLIC")
        live.execute(f"GRANT CONNECT ON DATABASE {place.name} TO {role}")
        live.execute(f"ALTER DATABASE {place.name} SET search_path = \"$user\", public, 'Odd one'")
        live.execute(f"ALTER DATABASE {place.name} CONNECTION LIMIT 50")
        live.execute(f"ALTER TABLE orders OWNER TO {role}")
        live.execute("CREATE TABLE numbered (id BIGINT GENERATED ALWAYS AS IDENTITY)")
        before = properties(live)
    new_id = restored(place)
    switch, names = place.switch(), place.switch().names
    with place.connected() as live:
        switch.exchange(new=names.beside, new_id=new_id, kept=names.former)
        with pytest.raises(psycopg.OperationalError):
            live.execute("SELECT 1")
    with place.connected() as live:
        assert properties(live) == before
        assert live.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'").fetchone() == (
            role,
        )
        assert live.execute("SELECT FROM pg_extension WHERE extname = 'amcheck'").rowcount == 0
    with (
        place.connected(names.former) as former,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        former.execute("INSERT INTO orders VALUES (9)")


def properties(connection: psycopg.Connection) -> tuple[object, ...] | None:
    return connection.execute(
        "SELECT datdba::regrole::text, datconnlimit, datcollate, datallowconn,"
        " (SELECT array_agg(each::text ORDER BY each::text) FROM unnest(datacl) each),"
        " (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid)"
        " FROM pg_database d WHERE datname = current_database()"
    ).fetchone()


@pytest.mark.postgres
def test_postgresql_lets_in_again_when_the_renaming_fails(postgresql_place: PostgresqlPlace) -> None:
    new_id = restored(postgresql_place)
    switch, names = postgresql_place.switch(), postgresql_place.switch().names
    with postgresql_place.connected("postgres") as server:
        server.execute(f"CREATE DATABASE {names.former}")
    with pytest.raises(NameInUse):
        switch.exchange(new=names.beside, new_id=new_id, kept=names.former)
    assert postgresql_place.ids() == [1, 2]
