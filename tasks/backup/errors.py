"""What the backup of a customer, or a night of them, refuses."""

from __future__ import annotations

from nakoming.errors import NakomingError


class NoBackupAgreed(NakomingError):
    """A customer whose agreement names no backup."""

    template = "The agreement of {customer} names no backup; allowed: one with a group 'backup'."
    code = "NK5600"
    exit_status = 4


class OneServer(NakomingError):
    """Both copies, or the source and its only other copy, lie on one server (S-2.4.6)."""

    template = (
        "{first} and {second} of {customer} are both on {server}; allowed: another server for each (S-2.4.6)."
    )
    code = "NK5602"


class OtherNight(NakomingError):
    """A night that is over, or has not begun, cannot be backed up now."""

    template = "The night of {asked} cannot be backed up now; allowed: {now_on}, the night it is now."
    code = "NK5603"
