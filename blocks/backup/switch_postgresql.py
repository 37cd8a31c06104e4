"""A live PostgreSQL database whose name is given to a restored one, in one transaction (S-2.4.5)."""

from __future__ import annotations

import time
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

import psycopg
from psycopg import sql

from blocks.backup.errors import RestoreFailed, SourceUnreachable
from blocks.backup.facts_postgresql import words
from blocks.backup.pg_login import PostgresqlLogin
from blocks.backup.pg_restoring import feed, first_bytes
from blocks.backup.pg_tools import tool_for
from blocks.backup.scratch_name import refuse_live
from blocks.backup.scratch_postgresql import PostgresqlScratch
from blocks.backup.switch_pg_properties import copy_properties, create_like
from blocks.backup.switch_protocol import NameInUse, Names, SwitchHeld, SwitchLost, SwitchRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from blocks.backup.protocol import Facts
    from blocks.backup.source_postgresql import PostgresqlSource

_PATIENCE_SECONDS: Final = 20.0
_ASK_AGAIN_SECONDS: Final = 0.05
_LIMITS: Final = ("SET lock_timeout = '20s'", "SET statement_timeout = '60s'")
_END_OTHERS: Final = """
    SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = ANY(%s) AND pid <> pg_backend_pid()
"""


class PostgresqlSwitch:
    """See `blocks.backup.switch_protocol.Switch`.

    The account makes and renames databases, owns the live one or is a superuser, and may end connections.

    Args:
        source: the live database.
        case_id: of the calamity.
    """

    def __init__(self, source: PostgresqlSource, case_id: str) -> None:
        login = {name: getattr(source, name) for name in PostgresqlLogin.model_fields}
        if source.restore_username is not None:
            login |= {"username": source.restore_username, "password": source.restore_password}
        self._server = PostgresqlScratch(**login)
        self._names = Names.of(source.database, case_id)

    @property
    def engine(self) -> Literal["postgresql"]:
        """Its kind."""
        return "postgresql"

    @property
    def names(self) -> Names:
        """What the databases are called."""
        return self._names

    def placed(self, name: str) -> dict[str, str]:
        """The database, as a connection names it."""
        return {"database": name}

    def identity(self, name: str) -> int | None:
        """The oid of a database."""
        with self._session() as connection:
            return _oid(connection, name)

    def restore(self, dump: Iterable[bytes]) -> int:
        """Make the database beside from pg_dump's custom form, with all that is the live one's."""
        name, live, blocks = self._names.beside, self._names.live, iter(dump)
        refuse_live(name, {live})
        head = first_bytes(blocks)
        self._server.drop(name)
        try:
            with self._session() as connection:
                tool = tool_for(
                    "pg_restore",
                    connection.info.server_version // 10000,
                    self._server.server(),
                    self._server.tools_folder,
                )
                create_like(connection, live, name, head)
            feed(self._server, name, tool, chain([head], blocks))
            with self._session() as connection:
                copy_properties(connection, live, name)
                found = _oid(connection, name)
        except psycopg.Error as error:
            raise RestoreFailed(what="the dump", name=name, reason=words(error)) from error
        if found is None:
            raise RestoreFailed(what="the dump", name=name, reason="somebody dropped it")
        return found

    def facts(self) -> Facts:
        """Count the database beside."""
        return self._server.facts(self._names.beside)

    def check(self) -> tuple[str, ...]:
        """amcheck, or all of it read; an extension that is installed for it goes again."""
        name = self._names.beside
        query = "SELECT FROM pg_extension WHERE extname = 'amcheck'"
        with self._server.session(name) as connection:
            had = connection.execute(query).rowcount == 1
        said = self._server.check(name)
        if not had:
            with self._server.session(name) as connection:
                connection.execute("DROP EXTENSION IF EXISTS amcheck")
        return said

    def raise_numbers(self, table: str, column: str, least: int) -> bool:
        """Raise the sequence of a column, where it has one."""
        with self._server.session(self._names.beside) as connection:
            if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() == (None,):
                return False
            found = connection.execute("SELECT pg_get_serial_sequence(%s, %s)", (table, column)).fetchone()
            if found is None or found[0] is None:
                return False
            connection.execute("SELECT setval(%s::regclass, %s)", (found[0], least))
        return True

    def exchange(self, *, new: str, new_id: int, kept: str) -> None:
        """Both renamed in one transaction, while nobody can connect to either."""
        live = self._names.live
        with self._session() as connection:
            if _oid(connection, live) == new_id:
                return
            if _oid(connection, new) != new_id:
                raise SwitchLost(name=new, where=self._server.server())
            there = _oid(connection, live) is not None
            if there and _oid(connection, kept) is not None:
                raise NameInUse(name=kept, where=self._server.server())
            shut = [live, new] if there else [new]
            try:
                for name in shut:
                    _let_in(connection, name, allowed=False)
                self._end_others(connection, shut)
                with connection.transaction():
                    self._rename(connection, new, kept if there else None)
            except psycopg.Error as error:
                self._open_again(shut)
                raise SwitchRefused(name=live, where=self._server.server(), reason=words(error)) from error
            except SwitchHeld:
                self._open_again(shut)
                raise

    def drop(self, name: str) -> bool:
        """Remove one of the databases beside the live one, with whoever is connected."""
        if name == self._names.live or name not in vars(self._names).values():
            raise NameInUse(name=name, where=self._server.server())
        with self._session() as connection:
            there = _oid(connection, name) is not None
            text = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(text.format(sql.Identifier(name)))
        return there

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection]:
        with self._server.session(self._server.maintenance) as connection:
            for each in _LIMITS:
                connection.execute(each)
            yield connection

    def _rename(self, connection: psycopg.Connection, new: str, kept: str | None) -> None:
        live = self._names.live
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        if kept is not None:
            connection.execute(rename.format(sql.Identifier(live), sql.Identifier(kept)))
            # Kept as it is: whoever looks into it changes nothing.
            text = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on")
            connection.execute(text.format(sql.Identifier(kept)))
            _let_in(connection, kept, allowed=True)
        connection.execute(rename.format(sql.Identifier(new), sql.Identifier(live)))
        if new != self._names.beside:  # it was kept as above
            text = sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only")
            connection.execute(text.format(sql.Identifier(live)))
        _let_in(connection, live, allowed=True)

    def _end_others(self, connection: psycopg.Connection, names: list[str]) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while others := connection.execute(_END_OTHERS, (names,)).fetchall():
            if time.monotonic() > until:
                reason = f"{len(others)} connections do not end"
                raise SwitchHeld(name=self._names.live, where=self._server.server(), reason=reason)
            time.sleep(_ASK_AGAIN_SECONDS)

    def _open_again(self, names: list[str]) -> None:
        # In a session of its own: the other one may be what failed.
        try:
            with self._session() as connection:
                for name in names:
                    _let_in(connection, name, allowed=True)
        except (psycopg.Error, SourceUnreachable):
            return  # a server that does not answer lets nobody in: the next attempt does this again


def _oid(connection: psycopg.Connection, name: str) -> int | None:
    found = connection.execute("SELECT oid::bigint FROM pg_database WHERE datname = %s", (name,)).fetchone()
    return None if found is None else int(found[0])


def _let_in(connection: psycopg.Connection, name: str, *, allowed: bool) -> None:
    text = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    connection.execute(text.format(sql.Identifier(name), sql.Literal(allowed)))
