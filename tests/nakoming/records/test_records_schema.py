"""Migrations give the schema that is declared, once, and refuse what is newer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from nakoming.records import migrate, schema
from nakoming.records.engine import writing
from nakoming.records.errors import RecordsTooNew
from nakoming.records.store import Records

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def fresh(database_url: str, tmp_path: Path) -> Records:
    return Records(database_url, keys=tmp_path / "keys", documents=tmp_path / "documents")


def test_migrations_equal_the_declared_schema(fresh: Records) -> None:
    migrate.upgrade(fresh)
    with fresh.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_upgrading_twice_changes_nothing(fresh: Records) -> None:
    migrate.upgrade(fresh)
    migrate.upgrade(fresh)
    migrate.require_current(fresh)
    with fresh.engine.connect() as connection:
        assert migrate.current(connection) == migrate.known_head()


def test_an_empty_database_is_refused_until_it_is_upgraded(fresh: Records) -> None:
    with pytest.raises(RecordsTooNew, match=r"at schema none, this program knows .*; run `nakoming up`"):
        migrate.require_current(fresh)


def test_a_newer_database_is_refused_and_left_alone(fresh: Records) -> None:
    migrate.upgrade(fresh)
    with fresh.engine.connect() as connection, writing(connection).begin():
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refuse in (migrate.upgrade, migrate.require_current):
        with pytest.raises(RecordsTooNew, match="at schema 9999, this program knows"):
            refuse(fresh)
    with fresh.engine.connect() as connection:
        assert migrate.current(connection) == "9999"


def test_two_that_upgrade_at_once_both_succeed(database_url: str, tmp_path: Path) -> None:
    twins = [Records(database_url, keys=tmp_path / "keys", documents=tmp_path) for _ in range(2)]
    failed: list[BaseException] = []

    def upgrade(records: Records) -> None:
        try:
            migrate.upgrade(records)
        except BaseException as raised:  # noqa: BLE001 - a thread's failure is the test's
            failed.append(raised)

    threads = [threading.Thread(target=upgrade, args=(twin,)) for twin in twins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    migrate.require_current(twins[0])
