"""The two ends of the exchange in the demo: a customer's ERP, and the database of its production."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from demo.environment_folder import EnvironmentFolder
from demo.erp.making import make
from demo.errors import ErpStandsThere

if TYPE_CHECKING:
    from pathlib import Path

CUSTOMER: Final = "brouwer"
"""The customer that has an ERP."""

_SQLITE: Final = "sqlite:///"
_CHANGED_WITHIN: Final = timedelta(hours=8)  # less than the contracts allow an ERP to be silent


def erp_file(root: Path) -> Path:
    """The file of its ERP."""
    return root.resolve() / "erp" / f"{CUSTOMER}.db"


def erp_address(root: Path) -> str:
    """The same as an address."""
    return f"{_SQLITE}{erp_file(root)}"


def suite_address(root: Path) -> str:
    """The address of the database of its production environment."""
    return EnvironmentFolder(root, CUSTOMER, "production").settings()["database_url"]


def suite_file(root: Path) -> Path | None:
    """The file of that database; None where somebody chose another kind of database."""
    address = suite_address(root)
    if not address.startswith(_SQLITE):
        return None
    return EnvironmentFolder(root, CUSTOMER, "production").folder / address.removeprefix(_SQLITE)


def prepare_erp(root: Path) -> None:
    """Make the ERP, once; one that stands there goes on. Its rows changed today, as in one that is used.

    It is made in one transaction, so that a start that was killed leaves none rather than half of one.

    Raises:
        ErpUnusable: the file cannot be read or written.
    """
    erp_file(root).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(ErpStandsThere):
        make(
            erp_address(root),
            customer=CUSTOMER,
            language="nl",
            as_of=_erp_clock(),
            within=_CHANGED_WITHIN,
        )


def _erp_clock() -> datetime:
    """What the clock of the ERP's own database says."""
    with closing(sqlite3.connect(":memory:")) as database:
        (shown,) = database.execute("SELECT datetime('now')").fetchone()
    return datetime.fromisoformat(shown).replace(tzinfo=UTC)
