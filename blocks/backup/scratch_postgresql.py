"""The block of a PostgreSQL server where backups are restored, tried and dropped."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

from prefect.blocks.core import Block
from pydantic import Field

from blocks.backup.errors import RestoreDamaged, RestoreFailed
from blocks.backup.pg_login import PostgresqlLogin
from blocks.backup.pg_restoring import feed, first_bytes
from blocks.backup.protocol import Facts
from blocks.backup.scratch_name import refuse_live

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from blocks.backup.pg_tools import Tool

_ENCODING: Final = re.compile(rb"SET client_encoding = '([A-Za-z0-9_]+)';")
# Roles and tablespaces are the live server's; a subscription would begin to read from a live publisher.
_LEFT_OUT: Final = (
    "--no-owner",
    "--no-privileges",
    "--no-tablespaces",
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
)
_AMCHECK: Final = """
    SELECT c.oid::regclass::text, found.msg FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
        LATERAL verify_heapam(c.oid) found
    WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p' AND n.nspname <> 'pg_catalog' LIMIT 1
"""
_INDEXES: Final = """
    SELECT count(bt_index_check(c.oid)) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
    JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.amname = 'btree' AND c.relkind = 'i' AND i.indisvalid AND n.nspname <> 'pg_catalog'
"""
_INVALID: Final = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid LIMIT 1"
_HAS_AMCHECK: Final = """
    SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'amcheck')
        AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
"""


class PostgresqlScratch(PostgresqlLogin, Block):
    """A PostgreSQL server for restores that are tried and dropped (S-2.4.6); never the live one's names.

    The account makes and drops databases. Roles of the live server are not needed, but for those that a
    row policy names.

    Example:
        Drop what a drill left behind:
        ```python
        from blocks.backup.scratch_postgresql import PostgresqlScratch

        scratch = PostgresqlScratch.load("BLOCK_NAME")
        print(scratch.drop("nakoming_scratch_acme"))
        ```
    """

    _block_type_name = "Backup Scratch PostgreSQL"
    _block_type_slug = "backup-scratch-postgresql"

    maintenance: str = Field(
        default="postgres", min_length=1, description="The database to log in to for making others."
    )

    @property
    def engine(self) -> Literal["postgresql"]:
        """The kind of dump it takes."""
        return "postgresql"

    def restore(self, name: str, dump: Iterable[bytes], live: frozenset[str]) -> None:
        """Make a database of this name from pg_dump's custom form; see `blocks.backup.protocol.Scratch`.

        Raises:
            LiveNameRefused: the name is one of `live`, or not one of a scratch.
            SourceUnreachable: the server does not answer.
            ToolMissing: no pg_restore here is as new as the server.
            RestoreFailed: the server did not take the dump; what it took is dropped again.
        """
        refuse_live(name, live)
        blocks = iter(dump)
        head = first_bytes(blocks)
        try:
            tool = self._made(name, head)
            feed(self, name, tool, chain([head], blocks), _LEFT_OUT)
        except BaseException:
            # A customer's half database does not lie about; what cannot be dropped now goes first next time.
            self._dropped_if_possible(name)
            raise

    def facts(self, name: str) -> Facts:
        """Count it, as the dump did."""
        from blocks.backup.facts_postgresql import PostgresqlCount  # psycopg takes time to load

        refuse_live(name)
        with self.session(name) as connection:
            count = PostgresqlCount(connection, self.where(name))
            rows, checksums = count.count()
            return Facts(
                engine="postgresql",
                taken_at=count.moment.taken_at,
                rows=rows,
                checksums=checksums | count.sequence_values(),
                position=count.moment.position,
                tools={"postgresql": count.moment.version},
            )

    def check(self, name: str | None = None) -> tuple[str, ...]:
        """Check a restored database with amcheck, or where that is not there by reading all of it.

        Args:
            name: the database; without one the connection is tried (for `nakoming check`).

        Returns:
            what was found good, one sentence each.

        Raises:
            RestoreDamaged: a table or an index is damaged.
            SourceUnreachable: the server does not answer.
        """
        if name is None:
            with self.session(self.maintenance) as connection:
                version = connection.info.parameter_status("server_version")
                self._tool(connection)
            return (f"PostgreSQL {version} answers at {self.server()} and takes restores.",)
        refuse_live(name)
        import psycopg

        from blocks.backup.facts_postgresql import words

        with self.session(name) as connection:
            try:
                said = self._checked(name, connection)
            except psycopg.Error as error:
                raise RestoreDamaged(name=name, reason=words(error)) from error
        return (said,)

    def drop(self, name: str) -> bool:
        """Remove it with whoever is connected; whether it was there."""
        refuse_live(name)
        from psycopg import sql

        with self.session(self.maintenance) as connection:
            there = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).rowcount == 1
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
        return there

    def _made(self, name: str, head: bytes) -> Tool:
        import psycopg
        from psycopg import sql

        from blocks.backup.facts_postgresql import words

        match = _ENCODING.search(head)
        encoding = match[1].decode() if match else "UTF8"
        self.drop(name)
        with self.session(self.maintenance) as connection:
            tool = self._tool(connection)
            same = connection.execute(
                "SELECT pg_encoding_to_char(encoding) = %s FROM pg_database WHERE datname = 'template0'",
                (encoding,),
            ).fetchone()
            # Hashes are of bytes, so it gets the source's encoding; only locale C goes with every encoding.
            locale = "" if same and same[0] else " LOCALE 'C'"
            text = f"CREATE DATABASE {{}} TEMPLATE template0 ENCODING {{}}{locale}"
            try:
                connection.execute(sql.SQL(text).format(sql.Identifier(name), sql.Literal(encoding)))
            except psycopg.Error as error:
                raise RestoreFailed(what="the dump", name=name, reason=words(error)) from error
        return tool

    def _checked(self, name: str, connection: psycopg.Connection) -> str:
        invalid = connection.execute(_INVALID).fetchone()
        if invalid is not None:
            raise RestoreDamaged(name=name, reason=f"the index {invalid[0]} is not valid")
        able = connection.execute(_HAS_AMCHECK).fetchone()
        if not able or not able[0]:
            self.facts(name)
            return f"All of {name} was read; its indexes are valid."
        connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
        found = connection.execute(_AMCHECK).fetchone()
        if found is not None:
            raise RestoreDamaged(name=name, reason=f"{found[0]}: {found[1]}")
        connection.execute(_INDEXES)
        return f"amcheck found {name} whole."

    def _tool(self, connection: psycopg.Connection) -> Tool:
        from blocks.backup.pg_tools import tool_for

        return tool_for(
            "pg_restore", connection.info.server_version // 10000, self.server(), self.tools_folder
        )

    def _dropped_if_possible(self, name: str) -> None:
        from contextlib import suppress

        import psycopg

        from nakoming.errors import NakomingError

        with suppress(psycopg.Error, NakomingError):
            self.drop(name)
