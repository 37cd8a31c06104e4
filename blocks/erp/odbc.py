"""The block of an ERP's database that is reached over ODBC."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from prefect.blocks.core import Block
from pydantic import Field, field_validator

from blocks.erp.errors import ErpSettingInvalid
from blocks.erp.limits import Limits
from blocks.secrets import SecretReference, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blocks.erp.odbc_session import OdbcSession

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_ -]*")
_SECRET = re.compile(r"pwd|password|passwd|secret|token", re.IGNORECASE)


class ErpOdbc(Limits, Block):
    """A customer's ERP behind any ODBC driver, such as Microsoft SQL Server.

    pyodbc reads and writes rows; `batches` of a session reads Arrow record batches where those are exact.

    Example:
        Look at a table of a stored connection:
        ```python
        from blocks.erp.odbc import ErpOdbc

        erp = ErpOdbc.load("BLOCK_NAME")
        with erp.connect() as session:
            print(session.columns("dbo.orders"))
        ```
    """

    _block_type_name = "ERP over ODBC"
    _block_type_slug = "erp-odbc"

    driver: str = Field(
        min_length=1, description="Name of the ODBC driver as odbcinst lists it, or the path of its library."
    )
    settings: dict[str, str] = Field(
        description="The driver's own words, such as Server, Port, Database and Encrypt; never a password."
    )
    username: str | None = Field(default=None, min_length=1, description="Account that logs in.")
    password: SecretReference | None = Field(
        default=None, description="Where the password lies: env:NAME or file:path."
    )
    dialect: Literal["mssql", "postgresql", "standard"] = Field(
        default="mssql", description="The SQL that the database behind the driver speaks."
    )

    @field_validator("settings")
    @classmethod
    def _plain_words(cls, settings: dict[str, str]) -> dict[str, str]:
        for word in settings:
            if not _WORD.fullmatch(word):
                raise ErpSettingInvalid(reason=f"{word!r} is no word of a connection string")
            if _SECRET.search(word):
                raise ErpSettingInvalid(reason=f"{word} stands in settings; a secret is named by password")
            if word.lower() in {"uid", "user", "driver"}:
                raise ErpSettingInvalid(reason=f"{word} has a field of its own: username or driver")
        return settings

    @contextmanager
    def connect(self, *, pause: Callable[[float], object] = time.sleep) -> Iterator[OdbcSession]:
        """Open a session; see `blocks.erp.protocol.ErpSession`.

        Args:
            pause: waits so many seconds between two tries.

        Raises:
            OdbcMissing: this machine has no unixODBC, or not this driver.
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

    def _opened(self) -> OdbcSession:
        # Imported here: SQLAlchemy and pyodbc take time, and most flows need neither.
        from blocks.erp.odbc_address import Address
        from blocks.erp.odbc_connect import open_odbc

        secret = None if self.password is None else resolve(self.password)
        address = Address(self.driver, self.settings, self.username, self.dialect)
        return open_odbc(address, secret, self.connect_timeout, self.bounds())
