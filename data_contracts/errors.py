"""What can be wrong with a data contract, or with what is checked against it. Codes NK7401 to NK7499."""

from __future__ import annotations

from nakoming.errors import NakomingError, UsageError


class ContractError(UsageError):
    """A line of a data contract says something that is not allowed.

    Data: `file`, `line` (from 1), `key` (dotted path), `problem`, `allowed`; each is an attribute as well.
    """

    template = "{file}, line {line}, {key}: {problem}; allowed: {allowed}."
    code = "NK7401"

    def __init__(self, *, file: str, line: int, key: str, problem: str, allowed: str) -> None:
        super().__init__(file=file, line=line, key=key, problem=problem, allowed=allowed)
        self.file = file
        self.line = line
        self.key = key
        self.problem = problem
        self.allowed = allowed


class ContractFileError(UsageError):
    """The file itself cannot be read. Data: `file`, `reason`."""

    template = "{file} cannot be read as a data contract: {reason}."
    code = "NK7402"


class UnknownInterface(UsageError):
    """There is no contract of that name. Data: `interface`, `known`."""

    template = "There is no data contract '{interface}'; there are: {known}."
    code = "NK7403"


class DialectUnknown(NakomingError):
    """Rules were asked for a database that none are compiled for. Data: `dialect`, `known`."""

    template = "The rules of a data contract are not compiled for '{dialect}'; they are for: {known}."
    code = "NK7404"


class StagingUnfit(NakomingError):
    """The table or frame to check lacks columns of the contract. Data: `place`, `interface`, `missing`."""

    template = "{place} cannot be checked against the contract '{interface}': it has no {missing}."
    code = "NK7405"


class ValidationBroke(NakomingError):
    """The library that checks gave up on a rule. Data: `interface`, `rule`, `reason`."""

    template = "The check of '{interface}' stopped at the rule {rule}: {reason}."
    code = "NK7406"


class LanguageUnknown(UsageError):
    """Words were asked for in a language there are none in. Data: `language`, `known`."""

    template = "There are no words in the language '{language}'; there are in: {known}."
    code = "NK7407"


class NoSuchConnection(UsageError):
    """A name that stands for nothing whose tables could be looked at. Data: `name`, `kinds`."""

    template = (
        "'{name}' is neither a contract's file nor a connection to an ERP's database; "
        "allowed: a .yaml file, or the name of a block of kind {kinds}."
    )
    code = "NK7408"
