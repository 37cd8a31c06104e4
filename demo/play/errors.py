"""What can keep the play from its end, NK6050 to NK6099, each one sentence with where to look."""

from __future__ import annotations

from typing import ClassVar

from nakoming.errors import NakomingError


class NothingMovesError(NakomingError):
    """The case, its mails and its runs stayed as they were for too long."""

    template: ClassVar[str] = (
        "Nothing has moved for {seconds:g} seconds: {what}. Look in {logs}, and at {url}."
    )
    code: ClassVar[str] = "NK6050"


class SilentError(NakomingError):
    """A server stayed away for longer than a restart takes."""

    template: ClassVar[str] = "{address} gave no answer for {seconds:g} seconds ({reason}): is the system up?"
    code: ClassVar[str] = "NK6051"


class PrefectRefusedError(NakomingError):
    """Prefect did not start the flow."""

    template: ClassVar[str] = (
        "Prefect at {url} did not start {deployment} ({reason}): `nakoming up` applies prefect.yaml anew."
    )
    code: ClassVar[str] = "NK6052"


class PageRefusedError(NakomingError):
    """A page asks something else than the script knows an answer to, or did not take the answer."""

    template: ClassVar[str] = "{person} could not answer '{title}': {reason}."
    code: ClassVar[str] = "NK6053"


class CaseStoppedError(NakomingError):
    """The case cannot go on without an operator."""

    template: ClassVar[str] = (
        "The case {key} is {state}: {why}. Look with `nakoming case show {key}`, and in {logs}."
    )
    code: ClassVar[str] = "NK6054"


class OtherOutcomeError(NakomingError):
    """The case ended, but not in production."""

    template: ClassVar[str] = "The case {key} ended as '{outcome}', not in production."
    code: ClassVar[str] = "NK6055"


class RevisionRedError(NakomingError):
    """The demo's own mended revision does not build, or its tests are red: something is wrong here."""

    template: ClassVar[str] = "Revision {revision} of the demo's Suite should be green and is not ({reason})."
    code: ClassVar[str] = "NK6062"


class FieldMissingError(NakomingError):
    """Production does not show what the request was about."""

    template: ClassVar[str] = "Production at {url} does not show '{field}' on every order: {shown}."
    code: ClassVar[str] = "NK6056"


class EvidenceDamagedError(NakomingError):
    """The evidence does not verify."""

    template: ClassVar[str] = "The evidence does not verify: {findings}"
    code: ClassVar[str] = "NK6057"


class ExchangeEndedError(NakomingError):
    """An exchange with the ERP ended otherwise than it should."""

    template: ClassVar[str] = (
        "The exchange {key} ended as '{outcome}'{why}. Look with `nakoming case show {key}`, and at {url}."
    )
    code: ClassVar[str] = "NK6058"


class HeldBackError(NakomingError):
    """Other rows were held back than were sown."""

    template: ClassVar[str] = (
        "Of {interface} {held} rows are held back, and {sown} bad ones were sown into the ERP: "
        "look with `nakoming erp quarantine list {customer}`."
    )
    code: ClassVar[str] = "NK6059"


class SuiteRefusedError(NakomingError):
    """The Suite did not take what the shop floor did."""

    template: ClassVar[str] = "The Suite at {url} did not take {what} of order {order}: {reason}."
    code: ClassVar[str] = "NK6060"


class WorkbookDiffersError(NakomingError):
    """The overview is not whole."""

    template: ClassVar[str] = "{path} is not what the ledger of the exchange holds: {difference}."
    code: ClassVar[str] = "NK6061"
