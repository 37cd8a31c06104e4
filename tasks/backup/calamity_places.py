"""The live database of a calamity, those beside it, and the ledger of ERP transactions in each of them."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from blocks.suite_database import SuiteDatabase
from nakoming.errors import NakomingError
from tasks.backup.calamity_errors import EngineNotSwitched, LedgerSilent
from tasks.backup.connections import source_of
from tasks.blocks import load_block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from blocks.backup.switch_protocol import Switch


def switch_of(customer: str, database: str, case_id: str) -> Switch:
    """The live database behind a block, and the names of those beside it that are this case's.

    Raises:
        BlockOfNoKind: there is no such block.
        EngineNotSwitched: its engine has no way to it.
    """
    source = source_of(database)
    if source.engine == "postgresql":
        from blocks.backup.source_postgresql import PostgresqlSource
        from blocks.backup.switch_postgresql import PostgresqlSwitch  # psycopg takes time to load

        if isinstance(source, PostgresqlSource):
            return PostgresqlSwitch(source, case_id)
    if source.engine == "sqlite":
        from blocks.backup.source_sqlite import SqliteSource
        from blocks.backup.switch_sqlite import SqliteSwitch

        if isinstance(source, SqliteSource):
            return SqliteSwitch(source, case_id)
    raise EngineNotSwitched(block=database, customer=customer, engine=source.engine)


@contextmanager
def ledger_in(switch: Switch, suite: str | None, name: str) -> Iterator[Connection]:
    """A connection to the database of this name, where the exchange with the ERP keeps its ledger.

    Raises:
        LedgerSilent: no exchange is agreed, it keeps its ledger elsewhere, or the database does not answer.
    """
    try:
        with ledger_engine(switch, suite, name).connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        reason = " ".join(str(error.__cause__ or error).split())[:200]
        raise LedgerSilent(reason=reason) from error


def ledger_engine(switch: Switch, suite: str | None, name: str) -> Engine:
    """An engine on it; errors as of `ledger_in`."""
    if suite is None:
        raise LedgerSilent(reason="no exchange with an ERP is agreed")
    try:
        block = load_block(SuiteDatabase, suite)
        there = switch.identity(name) is not None
    except NakomingError as error:
        raise LedgerSilent(reason=str(error).rstrip(".")) from error
    if not _is_of(block, switch):
        raise LedgerSilent(reason=f"{suite} is another database than the one that is backed up")
    if not there:
        raise LedgerSilent(reason=f"there is no database {name}")  # SQLite would make an empty one
    placed = {field: Path(at) if field == "path" else at for field, at in switch.placed(name).items()}
    return block.model_copy(update=placed).engine()


def _is_of(block: SuiteDatabase, switch: Switch) -> bool:
    if block.dialect != switch.engine:
        return False
    for field, at in switch.placed(switch.names.live).items():
        mine = getattr(block, field)
        if (str(mine.resolve()) if isinstance(mine, Path) else mine) != at:
            return False
    return True
