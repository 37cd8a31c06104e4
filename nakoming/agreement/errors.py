"""What can be wrong with an agreement, or with a question put to it. Codes NK1000 to NK1099."""

from __future__ import annotations

from nakoming.errors import NakomingError


class AgreementError(NakomingError):
    """A line of an agreement (or of the vendor's file) says something that is not allowed.

    Data: `file`, `line` (from 1), `key` (dotted path), `problem`, `allowed`; each is an attribute as well.
    """

    template = "{file}, line {line}, {key}: {problem}; allowed: {allowed}."
    code = "NK1001"
    exit_status = 2

    def __init__(self, *, file: str, line: int, key: str, problem: str, allowed: str) -> None:
        super().__init__(file=file, line=line, key=key, problem=problem, allowed=allowed)
        self.file = file
        self.line = line
        self.key = key
        self.problem = problem
        self.allowed = allowed


class AgreementFileError(NakomingError):
    """The file itself cannot be read. Data: `file`, `reason`."""

    template = "{file} cannot be read as an agreement: {reason}."
    code = "NK1002"
    exit_status = 2


class UnknownTermError(NakomingError):
    """A path that names no term. Data: `path`, `near` (what was perhaps meant)."""

    template = "The agreement has no term {path!r}; nearest: {near}."
    code = "NK1003"


class CalendarYearError(NakomingError):
    """A date in a year whose working days nobody agreed. Data: `customer`, `on`, `years`."""

    template = (
        "The working days of {customer} are not agreed for the year of {on}; agreed: {years}. "
        "Agree that year and add it under 'calendars' in the agreement."
    )
    code = "NK1010"


class ClockError(NakomingError):
    """An instant or duration that cannot be reckoned with. Data: `value`, `allowed`."""

    template = "{value} cannot be used as a time here; allowed: {allowed}."
    code = "NK1020"


class WindowTooShortError(NakomingError):
    """Work that never fits its window. Data: `needed`, `window`."""

    template = (
        "Work of {needed} (deploy and rollback together) never fits the window {window}; "
        "shorten the work or agree a longer window."
    )
    code = "NK1030"


class NobodyAuthorisedError(NakomingError):
    """A role that nobody holds on a date. Data: `role`, `on`, `advice`."""

    template = "Nobody holds the role {role} on {on}; {advice}."
    code = "NK1040"


class GateRuleError(NakomingError):
    """A question that nobody could ever settle, or that contradicts itself. Data: `kind`, `problem`."""

    template = "A gate of kind {kind} cannot be asked: {problem}."
    code = "NK1050"
