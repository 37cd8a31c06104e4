"""What goes wrong between a source, its sites and a scratch."""

from __future__ import annotations

from nakoming.errors import NakomingError


class BackupError(NakomingError):
    """A backup or a restore did not work; nothing counts as done."""

    template = "The backup of {what} failed: {reason}."
    code = "NK3500"


class SourceUnreachable(BackupError):
    """The database or folder that is backed up does not answer."""

    template = "{what} cannot be reached: {reason}. Allowed: a source that answers; check its block."
    code = "NK3501"


class DumpFailed(BackupError):
    """The dump did not come to a good end."""

    template = "The dump of {what} failed: {reason}. Nothing of it counts."
    code = "NK3502"


class ToolMissing(BackupError):
    """The engine's own program is not on this machine, or too old for the server."""

    template = "{what} needs {tool}, {reason}. Allowed: {allowed}."
    code = "NK3503"


class LiveNameRefused(BackupError):
    """A scratch may never take the name of something live."""

    template = "'{name}' cannot be a scratch: {reason}. Allowed: nakoming_scratch_ and a-z, 0-9, _."
    code = "NK3504"


class RestoreFailed(BackupError):
    """The engine did not take the dump."""

    template = "{what} could not be restored as {name}: {reason}."
    code = "NK3505"


class RestoreDamaged(BackupError):
    """The engine's check of integrity found something."""

    template = "{name} was restored but is damaged: {reason}."
    code = "NK3506"


class FactsTooEarly(BackupError):
    """Facts were asked of a dump that was not read to its end."""

    template = "The dump of {what} has no facts yet: it was not read to its end."
    code = "NK3507"


class SnapshotRefused(BackupError):
    """Others hold the database so that no state of it can be held still."""

    template = (
        "{what} could not be held still: {reason}. Allowed: a database whose readers and writers "
        "end their transactions within {seconds} s."
    )
    code = "NK3520"


class SiteError(BackupError):
    """A site did not do what it was asked."""

    template = "The site {site} failed while {doing}: {reason}."
    code = "NK3510"


class SiteUnreachable(SiteError):
    """Nobody answers, or the answer stopped."""

    template = "The site {site} does not answer while {doing}: {reason}."
    code = "NK3511"


class SiteFull(SiteError):
    """No room."""

    template = "The site {site} is full while {doing}: {reason}. Make room, or name another site."
    code = "NK3512"


class SiteReadOnly(SiteError):
    """It may not be written."""

    template = "The site {site} cannot be written while {doing}: {reason}."
    code = "NK3513"


class SiteFailed(SiteError):
    """The medium or the server reported an error."""

    code = "NK3514"


class FileGone(SiteError):
    """A file that should be there is not."""

    template = "{name} is not at the site {site}."
    code = "NK3515"


class SiteNameRefused(SiteError):
    """A name that is not made of ids."""

    template = "'{name}' is no name at a site. Allowed: folders and files of a-z, 0-9, '.', '_', '-'."
    code = "NK3516"
