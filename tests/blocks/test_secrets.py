"""A secret is read when it is needed and is never seen in a log."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

import pytest
from prefect.logging.formatters import JsonFormatter
from prefect.logging.handlers import PrefectConsoleHandler
from pydantic import BaseModel, ValidationError

from blocks.secrets import (
    REDACTED,
    RedactSecrets,
    SecretExposed,
    SecretMissing,
    SecretReference,
    SecretReferenceInvalid,
    install_redaction,
    redact,
    redacted,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "kaas&Krokant 'één'"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("tests.secrets")
    logger.addHandler(handler)
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setenv("NAKOMING_TEST_SECRET", SECRET)
    yield logger, stream
    logger.removeHandler(handler)


def test_a_variable_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAKOMING_TEST_SECRET", "x-variable-x")
    assert resolve(SecretReference("env:NAKOMING_TEST_SECRET")) == "x-variable-x"


def test_a_file_is_resolved_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("two words \n")
    path.chmod(0o600)
    assert resolve(SecretReference(f"file:{path}")) == "two words "


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "password"
    path.write_text("secret")
    path.chmod(mode)
    with pytest.raises(SecretExposed) as caught:
        resolve(SecretReference(f"file:{path}"))
    assert str(caught.value) == (
        f"The secret file {path} is open to others (mode {mode:o}); "
        f"make it its owner's alone: chmod 600 {path}"
    )


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAKOMING_TEST_SECRET", raising=False)
    with pytest.raises(
        SecretMissing, match="env:NAKOMING_TEST_SECRET cannot be had: no such environment variable"
    ):
        resolve(SecretReference("env:NAKOMING_TEST_SECRET"))
    with pytest.raises(SecretMissing, match="No such file or directory"):
        resolve(SecretReference(f"file:{tmp_path}/none"))
    (tmp_path / "empty").touch(mode=0o600)
    with pytest.raises(SecretMissing, match="it is empty"):
        resolve(SecretReference(f"file:{tmp_path}/empty"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "binary").chmod(0o600)
    with pytest.raises(SecretMissing, match="not UTF-8"):
        resolve(SecretReference(f"file:{tmp_path}/binary"))


@pytest.mark.parametrize(
    "text", ["hunter2", "env:", "env:A B", "file:", "ENV:NAME", "env:NAME\n", "file:a\nb"]
)
def test_other_shapes_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(SecretReferenceInvalid) as caught:
        SecretReference(text)
    assert str(caught.value) == (
        "A secret is named by env:NAME or file:path, not written out; this text has neither shape."
    )


def test_a_model_holds_and_stores_a_reference() -> None:
    class Holder(BaseModel):
        password: SecretReference

    held = Holder.model_validate({"password": "env:NAME"})
    assert type(held.password) is SecretReference
    assert held.model_dump_json() == '{"password":"env:NAME"}'
    assert "pattern" in Holder.model_json_schema()["properties"]["password"]
    with pytest.raises(ValidationError, match="env:NAME or file:path"):
        Holder.model_validate({"password": "hunter2"})


def test_before_it_is_resolved_the_text_shows(log: tuple[logging.Logger, io.StringIO]) -> None:
    """The check of the checks below: without the filter they would fail."""
    log[0].warning("not yet known: %s", "never-registered-secret")
    assert "never-registered-secret" in log[1].getvalue()


def test_messages_and_arguments_are_cleaned(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    resolve(SecretReference("env:NAKOMING_TEST_SECRET"))
    logger.warning("plain %s", SECRET)
    logger.warning("inside %r", {"password": [SECRET]})
    logger.warning(f"formatted {SECRET}")  # noqa: G004 - the careless caller is the case
    logger.warning("url %s", "smtp://u:kaas%26Krokant%20%27%C3%A9%C3%A9n%27@h")
    logger.warning("json %s", json.dumps({"p": SECRET}))
    text = stream.getvalue()
    assert "rokant" not in text
    assert text.count(REDACTED) == 5
    assert "plain [removed]" in text


def _login_fails() -> None:
    try:
        raise ValueError(SECRET)  # noqa: TRY301 - the chain of two is the case
    except ValueError as error:
        message = f"login with {SECRET}"
        raise RuntimeError(message) from error


def test_exceptions_are_cleaned(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    resolve(SecretReference("env:NAKOMING_TEST_SECRET"))
    try:
        _login_fails()
    except RuntimeError:
        logger.exception("failed")
    text = stream.getvalue()
    assert "rokant" not in text
    assert "RuntimeError: login with [removed]" in text
    assert "Traceback" in text


def test_an_exception_without_a_secret_keeps_its_traceback_object(
    log: tuple[logging.Logger, io.StringIO], caplog: pytest.LogCaptureFixture
) -> None:
    logger, _ = log
    redact("some-registered-secret")
    logger.addHandler(caplog.handler)
    try:
        int("harmless")
    except ValueError:
        logger.exception("failed")
    logger.removeHandler(caplog.handler)
    assert caplog.records[-1].exc_info is not None


def test_extra_fields_are_cleaned(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    redact("tok-en-123")
    logger.handlers[0].setFormatter(logging.Formatter("%(message)s %(account)s"))
    install_redaction()
    logger.warning("hello", extra={"account": {"token": ["tok-en-123"]}})
    assert "tok-en-123" not in stream.getvalue()
    assert REDACTED in stream.getvalue()


def test_a_format_that_does_not_fit_its_arguments_is_cleaned() -> None:
    redact("tok-en-123")
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "%d tok-en-123", ("tok-en-123",), None)
    assert RedactSecrets().filter(record)
    assert (record.msg, record.args) == ("%d [removed]", ("[removed]",))


def test_handlers_added_later_and_prefects_are_covered() -> None:
    secret = "later-" + "secret"  # in two parts: a traceback shows lines of source
    redact(secret)
    stream = io.StringIO()
    logger = logging.getLogger("prefect.tests.secrets")
    console, plain = PrefectConsoleHandler(stream), logging.StreamHandler(stream)
    plain.setFormatter(JsonFormatter("default", "", "%"))
    logger.addHandler(console)
    logger.addHandler(plain)
    try:
        int(secret)
    except ValueError:
        logger.exception("flow says %s", secret)
    finally:
        logger.removeHandler(console)
        logger.removeHandler(plain)
    assert secret not in stream.getvalue()
    assert stream.getvalue().startswith("flow says [removed]")
    assert '"message":"flow says [removed]"' in stream.getvalue()


def test_installing_twice_adds_nothing_and_prefects_handlers_carry_the_filter() -> None:
    logger = logging.getLogger("prefect.tests.twice")
    handler = logging.StreamHandler(io.StringIO())
    logger.addHandler(handler)
    install_redaction()
    factory = logging.getLogRecordFactory()
    install_redaction()
    logger.removeHandler(handler)
    assert len(handler.filters) == 1
    assert logging.getLogRecordFactory() is factory


def test_kept_output_can_be_cleaned() -> None:
    redact("abc-abc-abc")
    assert redacted("x abc-abc-abc y") == "x [removed] y"
