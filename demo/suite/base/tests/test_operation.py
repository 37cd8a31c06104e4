from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect

from suite.database import for_writing
from suite.migrations import current_revision, known_migrations, migrate, newest_revision
from suite.tables import metadata

if TYPE_CHECKING:
    from conftest import Visitor
    from sqlalchemy import Connection, Engine

Shape = dict[str, dict[str, tuple[str, bool]]]


def shape_of(connection: Connection) -> Shape:
    inspector = inspect(connection)
    return {
        table: {
            column["name"]: (str(column["type"]), bool(column["nullable"]))
            for column in inspector.get_columns(table)
        }
        for table in inspector.get_table_names()
        if table != "schema_revision"
    }


def test_health_is_red_until_the_schema_is_there(bare: Visitor, engine: Engine) -> None:
    before = bare.get("/health")
    assert (before.status_code, before.json()["status"]) == (503, "failing")
    with for_writing(engine).begin() as connection:
        migrate(connection, newest_revision())
    after = bare.get("/health")
    assert (after.status_code, after.json()["status"]) == (200, "ok")
    assert after.json()["schema_revision"] == newest_revision()


def test_version_names_the_installed_artefact(visitor: Visitor) -> None:
    assert visitor.get("/version").json() == {"version": "0", "revision": "test", "sha256": "ab" * 32}


def test_migrations_make_the_tables_the_code_declares(engine: Engine) -> None:
    with for_writing(engine).begin() as connection:
        migrate(connection, newest_revision())
        migrated = shape_of(connection)
        migrate(connection, 0)
        metadata.create_all(connection)
        assert migrated == shape_of(connection)


def test_every_migration_goes_down_and_up_again(engine: Engine) -> None:
    with for_writing(engine).begin() as connection:
        migrate(connection, newest_revision())
        there = shape_of(connection)
        for target in [*reversed(known_migrations()), 0]:
            migrate(connection, target)
            assert current_revision(connection) == target
        assert shape_of(connection) == {}
        migrate(connection, newest_revision())
        assert shape_of(connection) == there


def test_an_unknown_schema_revision_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="schema revision 99 is unknown here"), engine.begin() as connection:
        migrate(connection, 99)


def test_a_migration_that_fails_leaves_nothing(engine: Engine) -> None:
    class StoppedError(Exception):
        pass

    def half_way() -> None:
        with for_writing(engine).begin() as connection:
            migrate(connection, newest_revision())
            raise StoppedError

    with pytest.raises(StoppedError):
        half_way()
    with engine.begin() as connection:
        assert current_revision(connection) == 0
        assert shape_of(connection) == {}
