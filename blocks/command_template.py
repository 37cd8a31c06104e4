"""Commands with named places, as blocks store them: `["deploy.py", "{action}", "--customer={customer}"]`."""

from __future__ import annotations

import hashlib
import json
import re
from string import Formatter
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from nakoming.errors import NakomingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from blocks.command_result import CommandResult

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")
_ReportT = TypeVar("_ReportT", bound=BaseModel)


class TemplateInvalid(UsageError, ValueError):
    """A stored command names a place that does not exist."""

    template = "The command's word {word!r} is not allowed: {reason}. The places are: {allowed}."
    code = "NK5030"


class ValueRefused(UsageError, ValueError):
    """A value could be taken for an option or for a way out of its folder."""

    template = (
        "{name} {value!r} cannot be handed to a command: it must begin with a letter or digit, hold only "
        "letters, digits and . _ / + -, and no '..'."
    )
    code = "NK5031"


class ArtefactChanged(NakomingError):
    """A file is not the one that was approved; nothing was done with it."""

    template = "The artefact {path} holds SHA-256 {got}; {expected} is expected."
    code = "NK5032"


class ArtefactMissing(NakomingError):
    """A file is not there."""

    template = "The artefact {path} cannot be read: {reason}."
    code = "NK5033"


class ReportInvalid(NakomingError):
    """A command ended well and did not say what it must say. `data` holds output and exit_code."""

    template = (
        "The command {program!r} must print a JSON object with {expected} as its last line; "
        "this was found: {found}"
    )
    code = "NK5034"


def check_template(command: Sequence[str], allowed: Collection[str], required: Collection[str] = ()) -> None:
    """Refuse a command with unknown places, or without the ones it cannot do without.

    Raises:
        TemplateInvalid: with the word and the reason.
    """
    places: set[str] = set()
    named = ", ".join(f"{{{name}}}" for name in allowed)
    if not command or not command[0] or "{" in command[0]:
        word = command[0] if command else ""
        raise TemplateInvalid(word=word, reason="the first word is the program, as it is", allowed=named)
    for word in command:
        try:
            found = _places(word)
        except ValueError as error:
            raise TemplateInvalid(word=word, reason=str(error), allowed=named) from error
        if unknown := found - set(allowed):
            reason = f"there is no {{{min(unknown)}}}"
            raise TemplateInvalid(word=word, reason=reason, allowed=named)
        places |= found
    if missing := set(required) - places:
        reason = f"{{{min(missing)}}} does not appear in any word"
        raise TemplateInvalid(word=" ".join(command), reason=reason, allowed=named)


def fill_template(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Fill the places; a word that names a place without a value is left out."""
    return [word.format_map(values) for word in command if _places(word) <= values.keys()]


def checked_identifier(name: str, value: str) -> str:
    """Return the value when a command line can carry it safely.

    Raises:
        ValueRefused: it cannot.
    """
    if not _IDENTIFIER.fullmatch(value) or ".." in value:
        raise ValueRefused(name=name, value=value)
    return value


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal.

    Raises:
        ArtefactMissing: it cannot be read.
    """
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise ArtefactMissing(path=str(path), reason=error.strerror or str(error)) from error


def expect_sha256(path: Path, expected: str) -> None:
    """Compare a file with its recorded SHA-256, just before it is used.

    Raises:
        ArtefactChanged: it is another file now.
        ArtefactMissing: it cannot be read.
    """
    if (got := file_sha256(path)) != expected:
        raise ArtefactChanged(path=str(path), got=got, expected=expected)


def read_report(result: CommandResult, kind: type[_ReportT]) -> _ReportT:
    """Read the JSON object on the last line of a command's output; lines of standard error may follow it.

    Raises:
        ReportInvalid: no such line, or not with these keys.
    """
    expected = ", ".join(
        field.alias or name for name, field in kind.model_fields.items() if field.is_required()
    )
    for line in reversed(result.output.splitlines()):
        if (content := _json_object(line)) is not None:
            try:
                return kind.model_validate(content)
            except ValidationError as error:
                found = "; ".join(
                    f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
                )
                raise _unsaid(result, expected, found) from error
    raise _unsaid(result, expected, result.last_line[:500])


def _unsaid(result: CommandResult, expected: str, found: str) -> ReportInvalid:
    said = {"output": result.output, "exit_code": result.exit_code}
    return ReportInvalid(program=result.program, expected=expected, found=found, **said)


def _json_object(line: str) -> dict[str, Any] | None:
    if not line.strip().startswith("{"):
        return None
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _places(word: str) -> set[str]:
    found: set[str] = set()
    for _, name, form, conversion in Formatter().parse(word):
        if name is not None and (form or conversion or not name.isidentifier()):
            raise ValueError("a place is written {name}, a brace {{ or }}")
        if name is not None:
            found.add(name)
    return found
