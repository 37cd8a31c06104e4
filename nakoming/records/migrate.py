"""Brings the records database to the schema this program knows; cases under way survive it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from nakoming.records import schema
from nakoming.records.engine import writing
from nakoming.records.errors import RecordsTooNew
from nakoming.records.store import said_clearly

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from nakoming.records.store import Records

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_203_461  # an arbitrary number: only one process migrates a PostgreSQL database at a time


def _script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


@cache
def known_head() -> str:
    """The newest revision this program knows."""
    head = _script().get_current_head()
    if head is None:
        msg = "there are no migrations"
        raise AssertionError(msg)
    return head


def current(connection: Connection) -> str | None:
    """The revision of a database; none for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def make_folder(records: Records) -> None:
    """Make the folder of a database that is a file."""
    if records.engine.url.get_backend_name() == "sqlite" and records.engine.url.database:
        Path(records.engine.url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)


def require_known(revision: str) -> None:
    """Refuse a revision that this program does not know.

    Raises:
        RecordsTooNew: a newer program made it.
    """
    _refuse_newer(_script(), revision)


def upgrade(records: Records, to: str = "head") -> None:
    """Bring the database up to `to`, in one transaction; nothing happens when it is there already.

    Raises:
        RecordsTooNew: the database was made by a newer program.
        DatabaseLocked: another process kept the database for longer than the time-out.
    """
    make_folder(records)
    script = _script()
    with said_clearly(), records.engine.connect() as connection, writing(connection).begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        found = current(connection)
        _refuse_newer(script, found)
        _run(script, connection, to, lambda revision, _: script._upgrade_revs(to, revision))  # noqa: SLF001 - Alembic offers no public call that takes a connection


def _refuse_newer(script: ScriptDirectory, found: str | None) -> None:
    if found is not None and found not in {revision.revision for revision in script.walk_revisions()}:
        advice = "start the newer program, or restore an older backup"
        raise RecordsTooNew(found=found, known=script.get_current_head(), advice=advice)


def _run(script: ScriptDirectory, connection: Connection, to: str, steps: Callable[..., object]) -> None:
    environment = EnvironmentContext(Config(), script, fn=steps, destination_rev=to)
    with environment:
        environment.configure(connection=connection, target_metadata=schema.metadata, fn=steps)
        environment.run_migrations()


def require_current(records: Records) -> None:
    """Refuse a database whose schema is not the one this program knows.

    Raises:
        RecordsTooNew: it is older or newer.
    """
    with records.engine.connect() as connection:
        found = current(connection)
    if found != known_head():
        advice = (
            "run `nakoming records upgrade`" if found else "run `nakoming up` or `nakoming records upgrade`"
        )
        raise RecordsTooNew(found=found or "none", known=known_head(), advice=advice)
