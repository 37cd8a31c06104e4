"""The block of a customer's SQL Server database that is backed up."""

from __future__ import annotations

import os
import re
from contextlib import closing, contextmanager, suppress
from datetime import UTC, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal
from uuid import uuid4

from prefect.blocks.core import Block
from pydantic import Field, field_validator

from blocks.backup import sqlserver_sql
from blocks.backup.errors import DumpFailed, FactsTooEarly, SourceUnreachable
from blocks.backup.protocol import BLOCK_BYTES, Facts
from blocks.backup.scratch_name import without_scratches
from blocks.secrets import SecretReference, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_ -]*")
_ELSEWHERE: Final = re.compile(r"pwd|password|secret|token|uid|user|driver|database", re.IGNORECASE)


class SqlserverSource(Block):
    """A customer's SQL Server database, written by the server to a share and read from there (S-2.4.2).

    Limits: the server writes files, not streams, so a plain copy lies on the share while the dump lasts (its
    folder belongs to the server and this account alone; it is removed at the end). Rows are the server's own
    counts at the end of the backup, without checksums per table: what proves the pages is the server's
    CHECKSUM, read back by RESTORE VERIFYONLY. There is no scratch for this engine.

    Example:
        Read a dump of a stored connection to its end:
        ```python
        from blocks.backup.source_sqlserver import SqlserverSource

        source = SqlserverSource.load("BLOCK_NAME")
        with source.dump() as dump:
            while block := dump.read():
                print(len(block))
        ```
    """

    _block_type_name = "Backup Source SQL Server"
    _block_type_slug = "backup-source-sqlserver"

    driver: str = Field(
        min_length=1, description="Name of the ODBC driver as odbcinst lists it, or the path of its library."
    )
    settings: dict[str, str] = Field(
        description="The driver's own words, such as Server, Port and Encrypt; never a password."
    )
    database: str = Field(min_length=1, description="The database that is backed up.")
    username: str | None = Field(default=None, min_length=1, description="Account that logs in.")
    password: SecretReference | None = Field(
        default=None, description="Where the password lies: env:NAME or file:path."
    )
    share_of_server: str = Field(
        min_length=1, description=r"The share as the server names it, such as \\files\backup."
    )
    share_here: Path = Field(description="The same share as this machine sees it.")
    connect_timeout: timedelta = Field(
        default=timedelta(seconds=10), description="How long connecting and logging in may take."
    )

    @field_validator("settings")
    @classmethod
    def _no_secrets(cls, settings: dict[str, str]) -> dict[str, str]:
        for word in settings:
            if not _WORD.fullmatch(word) or _ELSEWHERE.search(word):
                raise ValueError(f"{word!r} has no place in settings: see the other fields")
        return settings

    @property
    def engine(self) -> Literal["sqlserver"]:
        """Its kind."""
        return "sqlserver"

    def server(self) -> str:
        """The server, as the driver's word for it."""
        words = {name.casefold(): value for name, value in self.settings.items()}
        return words.get("server", self.driver).casefold()

    def names(self) -> frozenset[str]:
        """All databases of the server, but for those that only a scratch may have."""
        with self._session() as cursor:
            found = {str(row[0]) for row in cursor.execute(sqlserver_sql.NAMES).fetchall()}
        return without_scratches(found, self.database)

    def size(self) -> int:
        """Bytes of the data files."""
        with self._session() as cursor:
            return int(cursor.execute(sqlserver_sql.SIZE).fetchone()[0] or 0)

    @contextmanager
    def dump(self) -> Iterator[SqlserverDump]:
        """Let the server write its backup, check it, and begin to read it.

        Raises:
            SourceUnreachable: the server does not answer.
            DumpFailed: the backup did not work, or is not seen on the share.
        """
        name = f"nakoming-{uuid4().hex}.bak"
        separator = "\\" if "\\" in self.share_of_server else "/"
        there, here = f"{self.share_of_server.rstrip(separator)}{separator}{name}", self.share_here / name
        try:
            facts = self._written(there)
            with self._seen(here) as file:
                yield SqlserverDump(self._what, file, facts)
        finally:
            with suppress(FileNotFoundError):
                here.unlink()

    def check(self) -> tuple[str, ...]:
        """Connect, and return what was found, one sentence each.

        Raises:
            NakomingError: the first thing that is wrong.
        """
        with self._session() as cursor:
            version, _ = cursor.execute(sqlserver_sql.STARTED).fetchone()
        if not os.access(self.share_here, os.R_OK | os.W_OK | os.X_OK):
            raise SourceUnreachable(what=str(self.share_here), reason="the share cannot be read and written")
        return (f"SQL Server {version} answers at {self.server()}.", f"{self.share_here} is there.")

    @property
    def _what(self) -> str:
        return f"{self.server()}/{self.database}"

    def _written(self, file: str) -> Facts:
        with self._session() as cursor:
            version, taken_at = cursor.execute(sqlserver_sql.STARTED).fetchone()
            for statement in (
                sqlserver_sql.backup(self.database, file),
                sqlserver_sql.verify(file),
            ):
                self._run(cursor, statement)
            rows = cursor.execute(sqlserver_sql.ROWS).fetchall()
            place = cursor.execute(sqlserver_sql.POSITION, self.database, file).fetchone()
        return Facts(
            engine="sqlserver",
            taken_at=taken_at.replace(tzinfo=UTC),
            rows={f"{schema}.{table}": int(number) for schema, table, number in rows},
            position=place[0] if place else None,
            tools={"sqlserver": version},
        )

    def _run(self, cursor: Any, statement: str) -> None:
        import pyodbc  # its wheel holds no libodbc

        try:
            cursor.execute(statement)
            while cursor.nextset():  # its messages of progress; an error may stand behind them
                pass
        except pyodbc.Error as error:
            raise DumpFailed(what=self._what, reason=_words(error)) from error

    def _seen(self, here: Path) -> IO[bytes]:
        try:
            return here.open("rb", buffering=0)
        except OSError as error:
            reason = f"the server's file is not seen as {here}: {error.strerror}"
            raise DumpFailed(what=self._what, reason=reason) from error

    @contextmanager
    def _session(self) -> Iterator[Any]:
        from blocks.erp.odbc_address import Address
        from blocks.erp.odbc_connect import driver_manager

        pyodbc = driver_manager(self.server())
        settings = self.settings | {"Database": self.database}
        address = Address(self.driver, settings, self.username, "mssql")
        text = address.connection_string(None if self.password is None else resolve(self.password))
        seconds = max(1, round(self.connect_timeout.total_seconds()))
        try:
            # BACKUP is refused inside a transaction.
            connection = pyodbc.connect(text, autocommit=True, timeout=seconds)
        except pyodbc.Error as error:
            # From nothing: the driver's text may repeat the connection string.
            raise SourceUnreachable(what=self._what, reason=_words(error)) from None
        with closing(connection):
            yield connection.cursor()


class SqlserverDump:
    """See `blocks.backup.protocol.Dump`."""

    def __init__(self, what: str, file: IO[bytes], facts: Facts) -> None:
        self._what = what
        self._file = file
        self._facts = facts
        self._whole = False

    def read(self, size: int = BLOCK_BYTES, /) -> bytes:
        """The next bytes of the server's file."""
        try:
            block = self._file.read(size)
        except OSError as error:
            raise DumpFailed(what=self._what, reason=error.strerror or "the share broke off") from error
        self._whole = not block
        return block

    def facts(self) -> Facts:
        """What the server counted."""
        if not self._whole:
            raise FactsTooEarly(what=self._what)
        return self._facts


def _words(error: Any) -> str:
    from blocks.erp.odbc_words import words_of

    return words_of(error).rstrip(".")
