"""The block of an ERP's database that is reached with its own driver: PostgreSQL or a SQLite file."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from prefect.blocks.core import Block
from pydantic import Field, model_validator

from blocks.erp.limits import Limits
from blocks.secrets import SecretReference, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from blocks.erp.session import SqlSession


class ErpDatabase(Limits, Block):
    """A customer's ERP on PostgreSQL, or in a SQLite file, reached with its own driver.

    Reading is in chunks and in one state of the database; writing is one transaction an effect, with its key.

    Example:
        Read what changed of a stored connection:
        ```python
        from blocks.erp.database import ErpDatabase

        erp = ErpDatabase.load("BLOCK_NAME")
        with erp.connect() as session, session.snapshot():
            for chunk in session.read("orders", ["order_number", "status"]):
                print(chunk.count)
        ```
    """

    _block_type_name = "ERP Database"
    _block_type_slug = "erp-database"

    dialect: Literal["sqlite", "postgresql"] = Field(description="What kind of database it is.")
    path: Path | None = Field(default=None, description="SQLite: its file; none is ever made.")
    host: str | None = Field(default=None, min_length=1, description="PostgreSQL: name or address.")
    port: int = Field(default=5432, ge=1, le=65535, description="PostgreSQL: its port.")
    database: str | None = Field(default=None, min_length=1, description="PostgreSQL: the database.")
    username: str | None = Field(default=None, min_length=1, description="PostgreSQL: account that logs in.")
    password: SecretReference | None = Field(
        default=None, description="PostgreSQL: where the password lies: env:NAME or file:path."
    )
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = Field(
        default="prefer", description="PostgreSQL: protection of the connection, in libpq's words."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.dialect == "sqlite" and self.path is None:
            raise ValueError("sqlite needs path")
        if self.dialect == "postgresql" and None in {self.host, self.database, self.username}:
            raise ValueError("postgresql needs host, database and username")
        return self

    @contextmanager
    def connect(self, *, pause: Callable[[float], object] = time.sleep) -> Iterator[SqlSession]:
        """Open a session; see `blocks.erp.protocol.ErpSession`.

        Args:
            pause: waits so many seconds between two tries.

        Raises:
            ErpUnreachable: nobody answered in `attempts` tries.
            ErpLoginRefused: it does not let us in; tried once.
        """
        session = self.patiently(self._opened, pause)
        try:
            yield session
        finally:
            session.close()

    def check(self) -> tuple[str, ...]:
        """Connect, and return what was found, one sentence each.

        Raises:
            NakomingError: the first thing that is wrong.
        """
        from blocks.erp.check import said_of  # imported here as in `connect`

        with self.connect() as session:
            return said_of(session)

    def _opened(self) -> SqlSession:
        # Imported here: SQLAlchemy and psycopg take half a second, and most flows need neither.
        if self.path is not None and self.dialect == "sqlite":
            from blocks.erp.sqlite import open_sqlite

            return open_sqlite(self.path, self.bounds())
        from blocks.erp.postgresql import open_postgresql

        address = {"host": self.host, "port": self.port, "dbname": self.database}
        address |= {"user": self.username, "sslmode": self.sslmode}
        password = None if self.password is None else resolve(self.password)
        return open_postgresql(address, password, self.connect_timeout, self.bounds())
