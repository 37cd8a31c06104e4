"""Steps between schema revisions: modules `m<number>_<name>` with `upgrade` and `downgrade`.

The table `schema_revision` holds one row: the number of the last step taken. All steps of one call are one
transaction, so a process that dies leaves the revision it found.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Protocol, cast

from sqlalchemy import inspect, text

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Migration(Protocol):
    """One step, both ways."""

    def upgrade(self, connection: Connection) -> None:
        """Take the database from the step before to this one."""

    def downgrade(self, connection: Connection) -> None:
        """Take the database back to the step before."""


def known_migrations() -> dict[int, Migration]:
    """All steps of this revision by number, lowest first."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith("m"))
    return {
        int(name[1:5]): cast("Migration", importlib.import_module(f"{__name__}.{name}")) for name in names
    }


def newest_revision() -> int:
    """The schema revision this code is written for."""
    return max(known_migrations())


def current_revision(connection: Connection) -> int:
    """The schema revision the database stands at; 0 for an empty one."""
    if not inspect(connection).has_table("schema_revision"):
        return 0
    return int(connection.execute(text("SELECT revision FROM schema_revision")).scalar_one())


def migrate(connection: Connection, target: int) -> int:
    """Walk up or down to `target` inside the caller's transaction and return it.

    Raises:
        ValueError: `target` or the database's own revision is not among the known steps.
    """
    known = known_migrations()
    current = current_revision(connection)
    for number in (target, current):
        if number not in {0, *known}:
            msg = f"schema revision {number} is unknown here; known are 0 to {max(known)}"
            raise ValueError(msg)
    for number in [n for n in known if current < n <= target]:
        known[number].upgrade(connection)
    for number in [n for n in reversed(known) if target < n <= current]:
        known[number].downgrade(connection)
    _record(connection, target)
    return target


def _record(connection: Connection, revision: int) -> None:
    connection.execute(text("CREATE TABLE IF NOT EXISTS schema_revision (revision INTEGER NOT NULL)"))
    connection.execute(text("DELETE FROM schema_revision"))
    connection.execute(text("INSERT INTO schema_revision VALUES (:revision)"), {"revision": revision})
