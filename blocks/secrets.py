"""Secrets by reference: where a password lies, its reading at connect time, and its removal from every log.

A block stores `env:NAME` or `file:path`, never the secret: Prefect gives every caller of its API the plain
text of secret blocks. What was resolved once is removed from all log records of this process from then on.
"""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, quote_plus

from pydantic_core import core_schema

from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from types import TracebackType

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

    ExceptionInfo = (
        tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None] | None
    )

REDACTED: Final = "[removed]"
_REFERENCE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f]+")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class SecretReferenceInvalid(NakomingError, ValueError):
    """A reference has neither of the two shapes. The text is not repeated: it may be the secret itself."""

    template = "A secret is named by env:NAME or file:path, not written out; this text has neither shape."
    code = "NK4001"


class SecretMissing(NakomingError):
    """What a reference points at is not there, is empty or cannot be read."""

    template = "The secret {reference} cannot be had: {reason}. Set it for the process that connects."
    code = "NK4002"


class SecretExposed(NakomingError):
    """A secret's file can be read or written by others than its owner."""

    template = (
        "The secret file {path} is open to others (mode {mode}); make it its owner's alone: chmod 600 {path}"
    )
    code = "NK4003"


class SecretReference(str):
    """Where a secret lies: `env:NAME` (a variable) or `file:path` (its text, one line end dropped).

    Raises:
        SecretReferenceInvalid: the text has neither shape.
    """

    __slots__ = ()

    def __new__(cls, reference: str) -> Self:
        """Check the shape; nothing is read yet."""
        if not _REFERENCE.fullmatch(reference):
            raise SecretReferenceInvalid
        return super().__new__(cls, reference)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Let models hold a reference and store it as its text."""
        del source, handler
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell forms what is allowed."""
        del schema
        return handler(core_schema.str_schema(pattern=f"^({_REFERENCE.pattern})$"))


def resolve(reference: SecretReference) -> str:
    """Read the secret now and remove it from all logs from now on; call it at connect time, keep nothing.

    Raises:
        SecretMissing: the variable or file is absent, empty or unreadable.
        SecretExposed: the file's mode lets others at it.
    """
    scheme, _, name = reference.partition(":")
    secret = os.environ.get(name, "") if scheme == "env" else _read(reference, Path(name))
    if not secret:
        raise SecretMissing(
            reference=str(reference),
            reason="it is empty"
            if name in os.environ or scheme == "file"
            else "no such environment variable",
        )
    redact(secret)
    return secret


def _read(reference: SecretReference, path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & _OTHERS:
                raise SecretExposed(path=str(path), mode=f"{mode:o}")
            return file.read().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise SecretMissing(reference=str(reference), reason="the file is not UTF-8 text") from error
    except OSError as error:
        raise SecretMissing(reference=str(reference), reason=error.strerror or "unreadable") from error


class _Register:
    """All that must not be seen in a log, in each form in which text carries it, longest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forms: tuple[str, ...] = ()

    def add(self, value: str) -> None:
        forms = {value, repr(value)[1:-1], json.dumps(value)[1:-1], quote(value, safe=""), quote_plus(value)}
        with self._lock:
            self._forms = tuple(sorted({*self._forms, *forms} - {""}, key=len, reverse=True))

    def clean(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, REDACTED)
        return text


_register = _Register()


def redact(value: str) -> None:
    """Remove this text (a token, a derived key) from all log records from now on, and see that it is done."""
    _register.add(value)
    install_redaction()


def redacted(text: str) -> str:
    """Return the text without any known secret: for output kept from child processes and servers."""
    return _register.clean(text)


class RedactSecrets(logging.Filter):
    """Cleans a record in place: message, arguments, exception, stack, extra fields. Lets all pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record; always true."""
        _clean_record(record)
        return True


def _clean_record(record: logging.LogRecord) -> None:
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):
        # The call's format and arguments do not fit; the handler will report that, without the secret.
        record.msg, record.args = _clean(record.msg), _clean(record.args)
    else:
        if (cleaned := redacted(message)) != message:
            record.msg, record.args = cleaned, ()
    _clean_exception(record)
    for name, value in record.__dict__.items():
        if name not in _OWN:
            record.__dict__[name] = _clean(value)


# Cleaned above, or without text from a caller.
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) - {"exc_text", "stack_info"}


def _clean_exception(record: logging.LogRecord) -> None:
    if not record.exc_info or record.exc_info[0] is None:
        return
    text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
    if (cleaned := redacted(text)) != text:
        # Formatters print exc_text where exc_info is gone; the exception itself still holds the secret.
        record.exc_info, record.exc_text = None, cleaned


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if type(value) in {list, tuple, set, frozenset}:
        return type(value)(_clean(item) for item in value)
    return value


_filter = RedactSecrets()


class _CleanFactory:
    """Makes clean records, so that handlers added later (Prefect adds its own) are covered as well."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._inner(*args, **kwargs)
        _clean_record(record)
        return record


def install_redaction() -> None:
    """Put the filter on every handler there is, Prefect's too, and on every record made from now on.

    May be called again at any time; it adds nothing twice.
    """
    if not isinstance(logging.getLogRecordFactory(), _CleanFactory):
        logging.setLogRecordFactory(_CleanFactory(logging.getLogRecordFactory()))
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.copy().values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            handler.addFilter(_filter)
    if logging.lastResort is not None:
        logging.lastResort.addFilter(_filter)
