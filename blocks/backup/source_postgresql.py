"""The block of a customer's PostgreSQL database that is backed up."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal

from prefect.blocks.core import Block
from pydantic import Field

from blocks.backup.errors import DumpFailed
from blocks.backup.pg_login import PostgresqlLogin
from blocks.backup.scratch_name import without_scratches
from blocks.secrets import SecretReference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blocks.backup.dump_postgresql import PostgresqlDump
    from blocks.backup.pg_tools import Tool


class PostgresqlSource(PostgresqlLogin, Block):
    """A customer's PostgreSQL database, dumped and counted in one snapshot (S-2.4.2).

    The account needs to read every table and every large object; nothing is written.

    Example:
        Read a dump of a stored connection to its end:
        ```python
        from blocks.backup.source_postgresql import PostgresqlSource

        source = PostgresqlSource.load("BLOCK_NAME")
        with source.dump() as dump:
            while block := dump.read():
                print(len(block))
            print(dump.facts().total_rows)
        ```
    """

    _block_type_name = "Backup Source PostgreSQL"
    _block_type_slug = "backup-source-postgresql"

    database: str = Field(min_length=1, description="The database that is backed up.")
    restore_username: str | None = Field(
        default=None,
        min_length=1,
        description="Account that may make and rename databases, for a restore in a calamity; else the same.",
    )
    restore_password: SecretReference | None = Field(
        default=None, description="Where the password of that account lies: env:NAME or file:path."
    )

    @property
    def engine(self) -> Literal["postgresql"]:
        """Its kind."""
        return "postgresql"

    def names(self) -> frozenset[str]:
        """All databases of the server, but for those that only a scratch may have."""
        with self.session(self.database) as connection:
            found = {str(row[0]) for row in connection.execute("SELECT datname FROM pg_database")}
        return without_scratches(found, self.database)

    def size(self) -> int:
        """Bytes of the database on the server's disk; a dump has fewer, for indexes are not in it."""
        with self.session(self.database) as connection:
            found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(found[0]) if found else 0

    @contextmanager
    def dump(self) -> Iterator[PostgresqlDump]:
        """Begin a dump; counting goes on beside it, in the same snapshot.

        Raises:
            SourceUnreachable: it does not answer, or does not let us in.
            ToolMissing: no pg_dump here is as new as the server.
            DumpFailed: a table cannot be locked for reading.
        """
        import psycopg  # imported here: it takes time, and most flows need none

        from blocks.backup.dump_postgresql import PostgresqlDump
        from blocks.backup.facts_postgresql import PostgresqlCount, words

        what = self.where(self.database)
        with ExitStack() as stack:
            connection = stack.enter_context(self.session(self.database))
            try:
                count = PostgresqlCount(connection, what)
                tool = self._tool(count.moment.major)
                count.lock(self.lock_timeout.total_seconds())
                snapshot = count.export()
            except psycopg.Error as error:
                raise DumpFailed(what=what, reason=words(error)) from error
            argv = self._argv(tool, snapshot)
            environment = self.child_environment(self.database)
            silent = self.silent_after.total_seconds()
            yield stack.enter_context(
                PostgresqlDump(what, argv, environment, connection, count, tool.version, silent)
            )

    def check(self) -> tuple[str, ...]:
        """Connect, and return what was found, one sentence each.

        Raises:
            NakomingError: the first thing that is wrong.
        """
        with self.session(self.database) as connection:
            major = connection.info.server_version // 10000
            version = connection.info.parameter_status("server_version")
        tool = self._tool(major)
        return (
            f"PostgreSQL {version} answers at {self.where(self.database)}.",
            f"pg_dump {tool.version} dumps it.",
        )

    def _tool(self, major: int) -> Tool:
        from blocks.backup.pg_tools import tool_for

        return tool_for("pg_dump", major, self.where(self.database), self.tools_folder)

    def _argv(self, tool: Tool, snapshot: str) -> list[str]:
        wait = round(self.lock_timeout.total_seconds() * 1000)
        # Compression comes later and uses all cores; pg_dump's own would use one.
        form = ["--format=custom", "--compress=0", "--no-password"]
        return [tool.path, *form, f"--snapshot={snapshot}", f"--lock-wait-timeout={wait}"]
