"""What `nakoming backup` refuses, NK7360 on."""

from __future__ import annotations

from typing import ClassVar

from nakoming.errors import NakomingError, UsageError


class HistoryNotDry(UsageError):
    """The history was asked to be carried out by hand."""

    template: ClassVar[str] = (
        "Backups are deleted by the night's run alone; allowed here: --dry-run, which shows what it would do."
    )
    code: ClassVar[str] = "NK7360"


class BackupDeleted(NakomingError):
    """A backup that is gone cannot be read."""

    template: ClassVar[str] = (
        "Backup {set_id} of {customer} is {state} and cannot be verified; "
        "`nakoming backup list {customer}` shows those that can."
    )
    code: ClassVar[str] = "NK7361"


class NoBackupKey(NakomingError):
    """A customer without a key."""

    template: ClassVar[str] = (
        "{customer} has no backup key; its first backup makes one, or "
        "`nakoming backup key rotate {customer}`."
    )
    code: ClassVar[str] = "NK7362"
    exit_status: ClassVar[int] = 4
