"""Which ERP a name of the agreement means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from blocks.erp.database import ErpDatabase
from blocks.erp.odbc import ErpOdbc
from tasks.erp.connections import erp_session
from tasks.erp.errors import EndMissing
from tests.harness.block_names import forget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.prefect_server import PrefectServer

pytestmark = [pytest.mark.clause("S-4.2.1"), pytest.mark.usefixtures("moved")]
NAME = "moved-erp"


@pytest.fixture
def moved(tmp_path: Path, prefect_api: PrefectServer) -> Iterator[None]:
    """An ERP on SQLite, before it moves."""
    del prefect_api
    forget(NAME)
    ErpDatabase(dialect="sqlite", path=tmp_path / "old.sqlite").save(NAME)
    yield
    forget(NAME)


def test_after_a_move_the_old_erp_is_not_what_is_written_to() -> None:
    ErpOdbc(driver="PostgreSQL Unicode", settings={"Server": "erp.example"}, dialect="postgresql").save(NAME)
    with pytest.raises(EndMissing) as refused, erp_session(NAME):
        pass
    both = f"erp-database/{NAME} and erp-odbc/{NAME}"
    assert str(refused.value) == (
        f"'{NAME}' names {both}; allowed: one connection to an ERP of that name. "
        "Delete in the Prefect UI what is not used any more, or give it another name."
    )


def test_a_name_that_no_block_bears_is_said_with_the_kinds_there_are() -> None:
    said = "'no-erp' that is a connection to an ERP; allowed: one of ErpDatabase, ErpOdbc"
    with pytest.raises(EndMissing, match=said), erp_session("no-erp"):
        pass
