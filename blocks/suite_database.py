"""The block of the Suite's own database of one customer, which the exchange with its ERP fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import field_validator
from sqlalchemy import URL

from blocks.erp.database import ErpDatabase
from blocks.secrets import resolve
from nakoming.records.engine import make_engine

if TYPE_CHECKING:
    from sqlalchemy import Engine

_SERVED: Final = ("postgresql", "sqlite")


class SuiteDatabase(ErpDatabase):
    """The Suite's database of a customer: PostgreSQL, or a SQLite file.

    Example:
        Open a stored connection:
        ```python
        from blocks.suite_database import SuiteDatabase

        engine = SuiteDatabase.load("BLOCK_NAME").engine()
        ```
    """

    _block_type_name = "Suite Database"
    _block_type_slug = "suite-database"

    @field_validator("dialect", mode="before")
    @classmethod
    def _is_served(cls, dialect: object) -> object:
        # docs/decisions/0012: staging, upsert and the ledger are written for these two.
        if dialect not in _SERVED:
            allowed = ", ".join(_SERVED)
            raise ValueError(f"The Suite's database cannot be on {dialect!r}; allowed: {allowed}.")
        return dialect

    def engine(self) -> Engine:
        """An engine whose connections are made anew each time; SQLite writers lock when they begin."""
        if self.dialect == "sqlite":
            return make_engine(URL.create("sqlite", database=str(self.path)).render_as_string())
        password = None if self.password is None else resolve(self.password)
        url = URL.create(
            "postgresql+psycopg",
            username=self.username,
            password=password,
            host=self.host,
            port=self.port,
            database=self.database,
            query={"sslmode": self.sslmode},
        )
        return make_engine(url.render_as_string(hide_password=False))
