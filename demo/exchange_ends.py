"""The two ends of the exchange in the demo: a customer's ERP, and the database of its production."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from demo.environment_folder import EnvironmentFolder
from demo.erp.making import make
from demo.errors import ErpStandsThere

if TYPE_CHECKING:
    from pathlib import Path

CUSTOMER: Final = "brouwer"
"""The customer that has an ERP."""

_SQLITE: Final = "sqlite:///"


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
    """Make the ERP, once; one that stands there goes on.

    It is made in one transaction, so that a start that was killed leaves none rather than half of one.

    Raises:
        ErpUnusable: the file cannot be read or written.
    """
    erp_file(root).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(ErpStandsThere):
        make(erp_address(root), customer=CUSTOMER, language="nl")
