"""Where the demo's backups come from and go to: databases of production, two sites, and a scratch.

All of it lies on one machine; the sites are named as two, as a real installation has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from demo.environment_folder import EnvironmentFolder

if TYPE_CHECKING:
    from pathlib import Path

CUSTOMERS: Final = ("brouwer", "fenwick")
"""The customers whose agreement names a backup."""

SITES: Final = {"backup-first": "vault-one.example", "backup-second": "vault-two.example"}
"""The sites by the names of their blocks, with the machine that each stands for."""

SCRATCH: Final = "backup-scratch"
_SQLITE: Final = "sqlite:///"


def database_file(root: Path, customer: str) -> Path | None:
    """The database of a customer's production; None where somebody chose another kind."""
    environment = EnvironmentFolder(root, customer, "production")
    address = environment.settings()["database_url"]
    if not address.startswith(_SQLITE):
        return None
    return environment.folder / address.removeprefix(_SQLITE)


def folder(root: Path, name: str) -> Path:
    """The folder of a site, or of the scratch."""
    return root.resolve() / "backups" / name


def prepare_folders(root: Path) -> None:
    """Make the folders; blocks never do, so that a disk that is not mounted is not mistaken for one."""
    for name in (*SITES, SCRATCH):
        folder(root, name).mkdir(mode=0o700, parents=True, exist_ok=True)
