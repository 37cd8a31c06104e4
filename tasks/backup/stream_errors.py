"""What is found when a backup is read back, and what stops one on its way to its sites."""

from __future__ import annotations

from blocks.backup.errors import BackupError


class PartChanged(BackupError):
    """A file has its size and not its content."""

    template = "{name} at the site {site} was changed: its SHA-256 is {found}, not {expected}."
    code = "NK5300"


class PartShort(BackupError):
    """A file was cut."""

    template = "{name} at the site {site} is cut: it has {found} of its {expected} bytes."
    code = "NK5301"


class PartLong(BackupError):
    """A file has bytes behind its end."""

    template = "{name} at the site {site} has bytes behind its end, after {expected}."
    code = "NK5302"


class PartNotForKey(BackupError):
    """A file is whole, and was made for another key."""

    template = "{name} at the site {site} is whole and cannot be opened with the key {key_id}."
    code = "NK5303"


class PartUnreadable(BackupError):
    """A file is whole, and was never a good backup."""

    template = "{name} at the site {site} is whole and was not made as a backup is: {reason}."
    code = "NK5304"


class ManifestMissing(BackupError):
    """There is no manifest: it is no backup."""

    template = "The backup {set_id} of '{customer}' has no manifest at the site {site}."
    code = "NK5305"


class ManifestInvalid(BackupError):
    """It is no manifest."""

    template = "The manifest of the backup {set_id} of '{customer}' at the site {site} is none: {reason}."
    code = "NK5306"


class ManifestChanged(BackupError):
    """Its signature does not fit."""

    template = (
        "The manifest of the backup {set_id} of '{customer}' at the site {site} was changed: "
        "the signature does not fit."
    )
    code = "NK5307"


class ManifestSignerUnknown(BackupError):
    """Somebody signed it whom nobody trusts."""

    template = (
        "The manifest of the backup {set_id} of '{customer}' at the site {site} is signed by {signer}, "
        "whom the key folder does not trust."
    )
    code = "NK5308"


class ManifestOfAnother(BackupError):
    """It is a good manifest, of another backup."""

    template = (
        "The manifest of the backup {set_id} of '{customer}' at the site {site} is that of the backup "
        "{found_set} of '{found_customer}'."
    )
    code = "NK5309"


class ManifestNotOfLedger(BackupError):
    """It is a good manifest of this backup, and not the one the ledger knows."""

    template = (
        "The manifest of the backup {set_id} of '{customer}' at the site {site} is not the ledger's: "
        "its SHA-256 is {found:.16}…, not {expected:.16}…."
    )
    code = "NK5310"


class SetIncomplete(BackupError):
    """A file that the manifest names is not there."""

    template = "The backup {set_id} of '{customer}' at the site {site} lacks {missing}."
    code = "NK5311"


class SetStrange(BackupError):
    """Files that the manifest does not name."""

    template = "The backup {set_id} of '{customer}' at the site {site} holds what is not its own: {strange}."
    code = "NK5312"


class SiteHangs(BackupError):
    """A site took nothing for too long; it was left behind."""

    template = "The site {site} took nothing of {name} for {seconds:.0f} s; it was left behind."
    code = "NK5313"


class KeyInvalid(BackupError):
    """A recipient is no public key of age."""

    template = "The key {key_id} has no public key that can be used: {reason}."
    code = "NK5314"
