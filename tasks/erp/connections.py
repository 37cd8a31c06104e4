"""The two ends of an exchange, by the names of their blocks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from blocks.suite_database import SuiteDatabase
from tasks.blocks import BlockAmbiguous, BlockMissing, BlockOfNoKind, load_block, load_one_of
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
        EndMissing: there is no such block, or there are two of that name.
        ErpError: it cannot be reached.
    """
    from blocks.erp.database import ErpDatabase
    from blocks.erp.odbc import ErpOdbc

    kinds: dict[str, type[ErpDatabase | ErpOdbc]] = {
        each.get_block_type_slug(): each for each in (ErpDatabase, ErpOdbc)
    }
    try:
        block = load_one_of(
            "connection to an ERP",
            name,
            {slug: kind.__name__ for slug, kind in kinds.items()},
            kinds.__getitem__,
        )
    except (BlockOfNoKind, BlockAmbiguous) as missing:
        raise EndMissing(reason=str(missing)) from missing
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
