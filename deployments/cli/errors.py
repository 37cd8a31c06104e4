"""What the commands refuse, NK7150 to NK7199, of exchanges with ERPs NK7353 on.

An error ends the command with its exit status.
"""

from __future__ import annotations

from typing import ClassVar

from nakoming.errors import NakomingError, UsageError


class FileUnreadable(UsageError):
    """A file that was named cannot be read."""

    template: ClassVar[str] = "{file} cannot be read: {reason}."
    code: ClassVar[str] = "NK7150"


class FileExistsAlready(UsageError):
    """A command would write over a file."""

    template: ClassVar[str] = "{file} exists already; name another file, or move it away first."
    code: ClassVar[str] = "NK7151"


class FileNotWritten(NakomingError):
    """A file could not be written."""

    template: ClassVar[str] = "{file} cannot be written: {reason}."
    code: ClassVar[str] = "NK7152"


class PersonNotAsked(UsageError):
    """The person who is named was not asked this question."""

    template: ClassVar[str] = "{person} was not asked '{gate}'; asked were: {asked}."
    code: ClassVar[str] = "NK7153"


class FactMalformed(UsageError):
    """A fact is not written as name and value."""

    template: ClassVar[str] = "'{text}' is no fact; allowed: name=value, such as amount=1250.00."
    code: ClassVar[str] = "NK7154"


class ReceivedWhen(UsageError):
    """A letter or call that cannot have come on that day."""

    template: ClassVar[str] = (
        "An answer received on {on} is not possible: {why}; allowed: {first_on} to {last_on}."
    )
    code: ClassVar[str] = "NK7155"


class ScanMissing(UsageError):
    """What came on paper is not shown."""

    template: ClassVar[str] = "An answer by {via} needs what came: name the file with --scan FILE."
    code: ClassVar[str] = "NK7156"


class NotConfirmed(UsageError):
    """Nobody said that this is the question that was answered."""

    template: ClassVar[str] = (
        "Nothing was recorded: say yes after reading what is asked, or give --yes (and --json) beforehand."
    )
    code: ClassVar[str] = "NK7157"


class NoReason(UsageError):
    """An act that needs its reason has none."""

    template: ClassVar[str] = "{act} needs its reason; allowed: --reason with at most {limit} characters."
    code: ClassVar[str] = "NK7158"


class RequestInvalid(UsageError):
    """A request for change is filled in wrongly."""

    template: ClassVar[str] = "The request cannot be started: {field} {problem}."
    code: ClassVar[str] = "NK7159"


class PrefectUnknown(NakomingError):
    """No Prefect server is known."""

    template: ClassVar[str] = (
        "No Prefect server is known: start the system with `nakoming up`, or set PREFECT_API_URL to the "
        "server's address, such as http://127.0.0.1:4200/api."
    )
    code: ClassVar[str] = "NK7160"


class PrefectUnreachable(NakomingError):
    """The Prefect server does not do what it was asked."""

    template: ClassVar[str] = (
        "The Prefect server at {url} {problem}; see that it runs (`nakoming check`), then try again."
    )
    code: ClassVar[str] = "NK7161"


class DeploymentMissing(NakomingError):
    """Prefect knows no deployment of the process."""

    template: ClassVar[str] = (
        "The Prefect server at {url} has no deployment {name}; `nakoming up` makes it, "
        "or `prefect deploy --all`."
    )
    code: ClassVar[str] = "NK7162"


class EvidenceMissing(NakomingError):
    """There is no such record of evidence."""

    template: ClassVar[str] = "There is no record {seq} in chain {chain}; {there_is}."
    code: ClassVar[str] = "NK7163"
    exit_status: ClassVar[int] = 4


class NoAgreementFiles(UsageError):
    """There is nothing to load."""

    template: ClassVar[str] = "There is no agreement in {folder}: name files, or set NAKOMING_AGREEMENTS."
    code: ClassVar[str] = "NK7164"


class BothGiven(UsageError):
    """Two things were given of which one is meant."""

    template: ClassVar[str] = "Give {one} or {other}, not both."
    code: ClassVar[str] = "NK7165"


class AgreementNamedOtherwise(UsageError):
    """A file's name and its customer differ."""

    template: ClassVar[str] = (
        "{file} holds the agreement of '{customer}'; name the file {customer}.yaml, or correct `customer`."
    )
    code: ClassVar[str] = "NK7166"


class QuestionUnknown(NakomingError):
    """A case asked no such question."""

    template: ClassVar[str] = "Case {key} asked no question '{gate}'; asked were: {asked}."
    code: ClassVar[str] = "NK7167"
    exit_status: ClassVar[int] = 4


class QuestionOver(NakomingError):
    """A question that is no longer open."""

    template: ClassVar[str] = "The question '{gate}' of {key} is {state}; only an open one can be {act}."
    code: ClassVar[str] = "NK7168"


class DocumentUnknown(NakomingError):
    """There is no such document."""

    template: ClassVar[str] = (
        "There is no document {document}; `nakoming document list CUSTOMER` shows those there are."
    )
    code: ClassVar[str] = "NK7169"
    exit_status: ClassVar[int] = 4


class RoomScarce(NakomingError):
    """The disk is nearly full."""

    template: ClassVar[str] = "{free} MB are free in {folder}, and {needed} MB are needed: free some space."
    code: ClassVar[str] = "NK7180"


class NothingLoaded(NakomingError):
    """The records are there and empty."""

    template: ClassVar[str] = "There is {what} in the records: load them with `nakoming agreement load`."
    code: ClassVar[str] = "NK7181"


class KeysMissing(NakomingError):
    """There are no keys."""

    template: ClassVar[str] = (
        "There are no keys in {folder}: bring back the folder of keys; without it nothing can be read. "
        "On a new installation `nakoming agreement load` makes them."
    )
    code: ClassVar[str] = "NK7182"


class KeysExposed(NakomingError):
    """Others may read a key."""

    template: ClassVar[str] = (
        "{path} has mode {mode}, so others may read it: take it from them with chmod go= {path}."
    )
    code: ClassVar[str] = "NK7183"


class PortalWrong(NakomingError):
    """Something else answers where the portal should."""

    template: ClassVar[str] = (
        "{url}/health answers {status}: see that NAKOMING_PORTAL_URL is the portal's address."
    )
    code: ClassVar[str] = "NK7184"


class PoolMissing(NakomingError):
    """No worker ever takes what a deployment starts."""

    template: ClassVar[str] = (
        "The deployment {name} names no work pool, so no worker takes its runs; `nakoming up` deploys it "
        "again, or `prefect deploy --all`."
    )
    code: ClassVar[str] = "NK7185"


class PoolPaused(NakomingError):
    """A work pool gives its workers nothing."""

    template: ClassVar[str] = (
        "The work pool {pool}, which runs {names}, is paused: take the pause off in the Prefect UI under "
        "Work Pools."
    )
    code: ClassVar[str] = "NK7186"


class WorkerMissing(NakomingError):
    """Nobody takes the runs of a work pool."""

    template: ClassVar[str] = (
        "No worker serves the work pool {pool}, which runs {names} ({last}): start the system with "
        "`nakoming up`, or a worker with `prefect worker start --pool {pool} --type {kind}`."
    )
    code: ClassVar[str] = "NK7187"


class ConnectionMissing(NakomingError):
    """An agreement names a block that is not there."""

    template: ClassVar[str] = (
        "The agreement of {customer} names the block '{name}' as '{purpose}' of {environment}, and there is "
        "none of that name: make it in the Prefect UI under Blocks, or correct the agreement."
    )
    code: ClassVar[str] = "NK7188"


class RowOrCase(UsageError):
    """A replay that names no row, or too much."""

    template: ClassVar[str] = (
        "Name either the number of one row (with --set, if it is to be repaired) or a case with --case KEY."
    )
    code: ClassVar[str] = "NK7353"


class RepairMalformed(UsageError):
    """A repair is not written as column and value."""

    template: ClassVar[str] = "'{text}' is no repair; allowed: COLUMN=VALUE, such as qty=12."
    code: ClassVar[str] = "NK7354"


class NoOutputKept(NakomingError):
    """A step of a case printed nothing that was kept."""

    template: ClassVar[str] = "Case {key} kept no output of step '{step}'; it kept that of: {kept}."
    code: ClassVar[str] = "NK7174"
    exit_status: ClassVar[int] = 4
