"""What a calamity needs of a live database: another one beside it, and names exchanged at once (S-2.4.5).

A database is told by an identity that no renaming changes (PostgreSQL's oid, a file's inode): which name has
which identity says how far an exchange came, whatever died in between.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from blocks.backup.errors import BackupError
from blocks.backup.scratch_name import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from blocks.backup.protocol import Engine, Facts

_MOST = 63  # bytes that PostgreSQL keeps of a name


class NameInUse(BackupError):
    """A name that a database is to take belongs to another one."""

    template = "'{name}' is in use at {where}. Allowed: a name that nothing has; nothing was changed."
    code = "NK3540"


class SwitchHeld(BackupError):
    """Others do not let go of a database, so it cannot take another name."""

    template = "{name} at {where} is held by others: {reason}. Allowed: end them; nothing was changed."
    code = "NK3541"


class SwitchLost(BackupError):
    """The database that is to take the live name is nowhere."""

    template = "The database {name} at {where} is not the one that was made ready: nothing was changed."
    code = "NK3542"


class SwitchRefused(BackupError):
    """The engine, or the file system, did not do what it was asked."""

    template = "The names of {name} at {where} could not be exchanged: {reason}."
    code = "NK3543"


@dataclass(frozen=True, kw_only=True)
class Names:
    """What the databases of one calamity are called; all but the live one by its case, so nobody else's.

    Attributes:
        live: the one in use.
        beside: the restored one, until it takes the live name.
        former: the one that was live before.
        undone: the restored one, after going back.
    """

    live: str
    beside: str
    former: str
    undone: str

    @classmethod
    def of(cls, live: str, case_id: str) -> Names:
        """The names of a case."""
        mark = hashlib.sha256(case_id.encode()).hexdigest()[:12]
        return cls(
            live=live,
            beside=f"{PREFIX}calamity_{mark}",
            former=_beside(live, f"_before_{mark}"),
            undone=_beside(live, f"_restored_{mark}"),
        )


def _beside(live: str, ending: str) -> str:
    kept = live.encode()[: _MOST - len(ending)].decode(errors="ignore")
    return f"{kept}{ending}"


class Switch(Protocol):
    """A live database and those beside it on its own server."""

    @property
    def engine(self) -> Engine:
        """Its kind."""

    @property
    def names(self) -> Names:
        """What they are called."""

    def identity(self, name: str) -> int | None:
        """Which database has a name now; None: there is none.

        Raises:
            SourceUnreachable: the server does not answer.
        """

    def placed(self, name: str) -> dict[str, str]:
        """Where the database of a name is, as the field of a connection says it."""

    def restore(self, dump: Iterable[bytes]) -> int:
        """Make the database beside from a dump, with the owner and the rights of the live one.

        What an earlier attempt of this case left goes first.

        Returns:
            its identity.

        Raises:
            NameInUse: something live has its name.
            BackupError: the dump was not taken.
        """

    def facts(self) -> Facts:
        """Count the database beside, as a dump is counted."""

    def check(self) -> tuple[str, ...]:
        """The engine's own check of the database beside; `RestoreDamaged` when it finds something."""

    def raise_numbers(self, table: str, column: str, least: int) -> bool:
        """Let the next number that a column of the database beside gives by itself be above `least`.

        Returns:
            whether it gives numbers by itself.
        """

    def exchange(self, *, new: str, new_id: int, kept: str) -> None:
        """Give the live name to the database `new`; the one that has it now is called `kept` from then on.

        Who is connected to either is disconnected. Done again, it ends what an interruption left, and
        changes nothing where it is done.

        Raises:
            NameInUse, SwitchHeld, SwitchLost: nothing was changed.
            SwitchRefused: the engine refused; the live name still has its database.
        """

    def drop(self, name: str) -> bool:
        """Remove a database of this case, never the live one; whether it was there."""
