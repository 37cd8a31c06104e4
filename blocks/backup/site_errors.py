"""What sites refuse beside the errors all parts share, and what an operating system's error means there."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from blocks.backup.errors import BackupError, SiteError, SiteFailed, SiteFull, SiteReadOnly, SiteUnreachable
from nakoming.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY: Final = {errno.EROFS, errno.EACCES, errno.EPERM}
_UNREACHABLE: Final = {
    errno.ENOTCONN,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.ETIMEDOUT,
    errno.ESTALE,
    errno.EREMOTEIO,
    errno.ENODEV,
}


class SiteKeyChanged(SiteError):
    """Another machine answers than the one that was pinned; nothing was sent to it."""

    template = "The site {site} is not the machine that was pinned: {reason}"
    code = "NK3530"


class SiteLoginRefused(SiteError):
    """The machine is the right one and does not let us in."""

    template = "The site {site} does not let us in: {reason}"
    code = "NK3531"


class SiteKeptLess(SiteError):
    """The site said that all was well, and holds something else."""

    template = "The site {site} holds {held} bytes of {name} and was sent {sent}: it is not kept."
    code = "NK3532"


class SiteSettingInvalid(UsageError, ValueError):
    """A field of a site's block."""

    template = "The site cannot be used: {reason}. Allowed: {allowed}."
    code = "NK3533"


@contextmanager
def speaking(site: str, doing: str) -> Iterator[None]:
    """Turn what the operating system reports in the block into the error that says what it means."""
    try:
        yield
    except BackupError:
        raise
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise meaning(error)(site=site, doing=doing, reason=reason) from error


def meaning(error: OSError) -> type[SiteError]:
    """Return the class of error that an operating system's error is."""
    if error.errno in _FULL:
        return SiteFull
    if error.errno in _READ_ONLY:
        return SiteReadOnly
    if error.errno in _UNREACHABLE or isinstance(error, TimeoutError):
        return SiteUnreachable
    return SiteFailed
