"""Why a restore that was tried is not good, and why one could not be tried."""

from __future__ import annotations

from typing import Final

from blocks.backup.errors import (
    BackupError,
    LiveNameRefused,
    RestoreFailed,
    SiteUnreachable,
    SourceUnreachable,
    ToolMissing,
)
from blocks.backup.site_errors import SiteKeyChanged, SiteLoginRefused
from nakoming.errors import NakomingError
from nakoming.records.backup_keys import BackupKeyDamaged, BackupKeyDestroyed, BackupKeyLost
from tasks.backup.stream_errors import SiteHangs


class FactsDiffer(BackupError):
    """What was restored is not what was dumped."""

    template = "{what} was restored and is not what its manifest says: {differences}."
    code = "NK5640"


class ScratchOfOtherEngine(BackupError):
    """The scratch that the agreement names takes other dumps."""

    template = (
        "The scratch '{scratch}' of {customer} takes {takes}, and {part} is {engine}; "
        "allowed: a scratch of the same kind."
    )
    code = "NK5641"


class SetGone(BackupError):
    """A backup was deleted while it was being tried."""

    template = "The backup {set_id} of {customer} was deleted meanwhile, as its history says."
    code = "NK5642"


class OtherDrill(NakomingError):
    """A night of restores that is over, or has not begun."""

    template = "Restores of the night of {asked} cannot be tried now; allowed: {now_on}, the night it is now."
    code = "NK5643"


_OF_THE_SET: Final = (BackupError, BackupKeyDamaged, BackupKeyDestroyed, BackupKeyLost)
# Somebody else's server, and not what was kept: a backup is not called bad for it.
_OF_ELSEWHERE: Final = (
    LiveNameRefused,
    ScratchOfOtherEngine,
    SetGone,
    SiteHangs,
    SiteKeyChanged,
    SiteLoginRefused,
    SiteUnreachable,
    SourceUnreachable,
    ToolMissing,
)


def is_of_the_set(error: Exception) -> bool:
    """Whether an error says that a backup cannot be restored; False: nothing is known of the backup.

    When in doubt it does: a false alarm costs a look, a false "good" the data.
    """
    if isinstance(error, RestoreFailed) and isinstance(error.__cause__, OSError):
        return False  # the disk of the scratch
    return isinstance(error, _OF_THE_SET) and not isinstance(error, _OF_ELSEWHERE)
