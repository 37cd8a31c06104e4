"""How a block of backups reaches a PostgreSQL server, itself and through the server's own programs."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from blocks.backup.engine_child import clean_environment
from blocks.backup.errors import SourceUnreachable
from blocks.secrets import SecretReference, redacted, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

APPLICATION = "nakoming backup"


class PostgresqlLogin(BaseModel):
    """Fields of a connection, as the other blocks name them."""

    host: str = Field(min_length=1, description="Name or address of the server.")
    port: int = Field(default=5432, ge=1, le=65535, description="Its port.")
    username: str = Field(min_length=1, description="Account that logs in.")
    password: SecretReference | None = Field(
        default=None, description="Where the password lies: env:NAME or file:path."
    )
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = Field(
        default="prefer", description="Protection of the connection, in libpq's words."
    )
    tools_folder: Path | None = Field(
        default=None, description="Where pg_dump and pg_restore lie; without it the usual places."
    )
    connect_timeout: timedelta = Field(
        default=timedelta(seconds=10), description="How long connecting and logging in may take."
    )
    lock_timeout: timedelta = Field(
        default=timedelta(seconds=60), description="How long to wait for a table that somebody changes."
    )
    silent_after: timedelta = Field(
        default=timedelta(minutes=15), description="No byte for so long means that the server hangs."
    )

    def server(self) -> str:
        """The database server, as `host:port`."""
        return f"{self.host.casefold()}:{self.port}"

    def where(self, database: str) -> str:
        """A database there, for sentences."""
        return f"{self.host}:{self.port}/{database}"

    @contextmanager
    def session(self, database: str) -> Iterator[psycopg.Connection]:
        """Connect; in autocommit.

        Raises:
            SourceUnreachable: nobody answers, or it does not let us in.
        """
        import psycopg  # imported here: it takes time, and most flows need none

        try:
            connection = psycopg.connect(
                host=self.host,
                port=self.port,
                user=self.username,
                password=self._secret(),
                dbname=database,
                sslmode=self.sslmode,
                application_name=APPLICATION,
                connect_timeout=self._patience(),
                tcp_user_timeout=30_000,
                client_encoding="UTF8",
                autocommit=True,
            )
        except psycopg.Error as error:
            reason = redacted(" ".join(str(error).split()))
            raise SourceUnreachable(what=self.where(database), reason=reason) from error
        try:
            yield connection
        finally:
            connection.close()

    def child_environment(self, database: str, options: str = "") -> dict[str, str]:
        """What libpq in a child reads; a command line would be seen by every user of this machine.

        No encoding: a dump stays in its database's own, and is restored in that.
        """
        own = {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.username,
            "PGDATABASE": database,
            "PGSSLMODE": self.sslmode,
            "PGAPPNAME": APPLICATION,
            "PGCONNECT_TIMEOUT": str(self._patience()),
            "PGTCP_USER_TIMEOUT": "30000",
        }
        if options:
            own["PGOPTIONS"] = options
        secret = self._secret()
        return clean_environment(**own, **({"PGPASSWORD": secret} if secret is not None else {}))

    def _secret(self) -> str | None:
        return None if self.password is None else resolve(self.password)

    def _patience(self) -> int:
        return max(1, round(self.connect_timeout.total_seconds()))
