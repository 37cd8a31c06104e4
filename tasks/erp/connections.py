"""The two ends of an exchange, by the names of their blocks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from blocks.suite_database import SuiteDatabase
from tasks.blocks import BlockMissing, load_block
from tasks.erp.errors import EndMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect.blocks.core import Block
    from sqlalchemy import Engine

    from blocks.erp.protocol import ErpSession

B = TypeVar("B", bound="Block")


@contextmanager
def erp_session(name: str) -> Iterator[ErpSession]:
    """A session at the ERP behind a block: a database reached directly, or over ODBC.

    Raises:
        EndMissing: there is no such block.
        ErpError: it cannot be reached.
    """
    from blocks.erp.database import ErpDatabase
    from blocks.erp.odbc import ErpOdbc

    block: ErpDatabase | ErpOdbc
    try:
        block = load_block(ErpDatabase, name)
    except BlockMissing:
        block = _there(ErpOdbc, name)
    with block.connect() as session:
        yield session


def suite_engine(name: str) -> Engine:
    """An engine on the Suite's database behind a block.

    Raises:
        EndMissing: there is no such block.
    """
    return _there(SuiteDatabase, name).engine()


def _there(kind: type[B], name: str) -> B:
    try:
        return load_block(kind, name)
    except BlockMissing as missing:
        raise EndMissing(reason=str(missing)) from missing
