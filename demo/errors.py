"""What can be wrong in the vendor's commands, NK6000 to NK6099, each one clear sentence."""

from __future__ import annotations

from typing import ClassVar

from nakoming.errors import NakomingError, UsageError


class UnknownRevisionError(UsageError):
    """The build was asked for a revision the repository does not hold."""

    template: ClassVar[str] = "There is no revision {revision!r} in {source}; known are {known}."
    code: ClassVar[str] = "NK6001"


class DamagedRepositoryError(NakomingError):
    """A revision's own description cannot be read."""

    template: ClassVar[str] = "Revision {revision!r} in {source} cannot be built: {reason}."
    code: ClassVar[str] = "NK6002"


class ArtefactError(NakomingError):
    """A file that is no artefact of the Suite."""

    template: ClassVar[str] = "{path} is no artefact of the Suite: {reason}."
    code: ClassVar[str] = "NK6003"


class DigestMismatchError(NakomingError):
    """The artefact is not the one that was meant."""

    template: ClassVar[str] = "{path} has SHA-256 {actual}, not {expected}; nothing was done."
    code: ClassVar[str] = "NK6004"


class TestToolMissingError(NakomingError):
    """The Suite's tests need pytest."""

    __test__ = False  # its name begins as a test class does
    template: ClassVar[str] = "{python} has no pytest, which the Suite's tests need; install it there."
    code: ClassVar[str] = "NK6005"


class UnusableNameError(UsageError):
    """A customer's or environment's name that cannot be a folder."""

    template: ClassVar[str] = "{name!r} is no {what}; lower-case letters, digits and dashes are allowed."
    code: ClassVar[str] = "NK6010"


class ArtefactNeededError(UsageError):
    """An installation without an artefact."""

    template: ClassVar[str] = "An installation needs --artefact FILE."
    code: ClassVar[str] = "NK6011"


class BusyError(NakomingError):
    """Another deployment holds the environment."""

    template: ClassVar[str] = (
        "Another deployment still works on {customer} {environment} after {seconds:g} seconds;"
        " try again later."
    )
    code: ClassVar[str] = "NK6012"


class SettingsError(NakomingError):
    """The settings file of an environment cannot be used."""

    template: ClassVar[str] = "{path} cannot be used: {reason}."
    code: ClassVar[str] = "NK6013"


class NothingToRollBackError(NakomingError):
    """No earlier release."""

    template: ClassVar[str] = "{customer} {environment} has no earlier release to go back to."
    code: ClassVar[str] = "NK6014"


class NothingInstalledError(NakomingError):
    """Start without an installation."""

    template: ClassVar[str] = "Nothing is installed on {customer} {environment}."
    code: ClassVar[str] = "NK6015"


class MigrationError(NakomingError):
    """The Suite's own migration failed; the database stands as it was."""

    template: ClassVar[str] = "The database of {customer} {environment} was not migrated: {reason}"
    code: ClassVar[str] = "NK6016"


class UnhealthyError(NakomingError):
    """The service does not answer as what was installed."""

    template: ClassVar[str] = "{customer} {environment} does not answer as {sha256}: {reason}"
    code: ClassVar[str] = "NK6017"


class ServiceStuckError(NakomingError):
    """The old service would not end."""

    template: ClassVar[str] = (
        "The service of {folder} did not end within {seconds:g} seconds after being killed."
    )
    code: ClassVar[str] = "NK6018"


class PrepareError(NakomingError):
    """An environment of the demo could not be prepared."""

    template: ClassVar[str] = "{customer} {environment} could not be prepared: {reason}"
    code: ClassVar[str] = "NK6020"


class ErpAddressUnusable(UsageError):
    """An address at which no ERP of the demo can stand."""

    template: ClassVar[str] = (
        "{address} is no address of an ERP; sqlite:///FILE and postgresql://USER@HOST/DATABASE are allowed."
    )
    code: ClassVar[str] = "NK6021"


class ErpStandsThere(NakomingError):
    """An ERP is not made over another one unasked."""

    template: ClassVar[str] = "An ERP stands at {address} already; --replace makes it anew."
    code: ClassVar[str] = "NK6022"


class ErpOrderUnknown(UsageError):
    """The ERP has no such order."""

    template: ClassVar[str] = "The ERP at {address} has no order {order}."
    code: ClassVar[str] = "NK6023"


class ErpOrdersTooFew(UsageError):
    """More is asked of the ERP's orders than there are."""

    template: ClassVar[str] = "{wanted} orders cannot be {done}: {reason}."
    code: ClassVar[str] = "NK6024"


class ErpUnusable(NakomingError):
    """The ERP's database does not do what is asked of it."""

    template: ClassVar[str] = "The ERP at {address} cannot be used: {reason}."
    code: ClassVar[str] = "NK6025"
