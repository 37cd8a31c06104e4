"""The two ends of an exchange, by the names of their blocks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from blocks.suite_database import SuiteDatabase
from tasks.blocks import BlockMissing, load_block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from blocks.erp.protocol import ErpSession


@contextmanager
def erp_session(name: str) -> Iterator[ErpSession]:
    """A session at the ERP behind a block: a database reached directly, or over ODBC.

    Raises:
        BlockMissing: there is no such block.
        ErpError: it cannot be reached.
    """
    from blocks.erp.database import ErpDatabase
    from blocks.erp.odbc import ErpOdbc

    try:
        block: ErpDatabase | ErpOdbc = load_block(ErpDatabase, name)
    except BlockMissing:
        block = load_block(ErpOdbc, name)
    with block.connect() as session:
        yield session


def suite_engine(name: str) -> Engine:
    """An engine on the Suite's database behind a block."""
    return load_block(SuiteDatabase, name).engine()
