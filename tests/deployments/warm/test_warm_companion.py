"""A companion runs beside the worker, and keeps no run from working when it cannot."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from deployments.warm import companion
from deployments.warm.errors import HookNameError

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("test")
told: list[str] = []


def well() -> Callable[[], None]:
    told.append("started")
    return lambda: told.append("ended")


def ill() -> None:
    raise ValueError("no records here")


def test_it_is_started_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(companion.COMPANION_VARIABLE, f"{__name__}.well")
    end = companion.start(_log)
    assert told == ["started"]
    end()
    assert told == ["started", "ended"]


def test_without_a_name_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(companion.COMPANION_VARIABLE, raising=False)
    assert companion.start(_log) is companion.nothing


def test_one_that_cannot_start_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(companion.COMPANION_VARIABLE, f"{__name__}.ill")
    assert companion.start(_log) is companion.nothing
    assert "no records here" in caplog.text


def test_a_name_that_is_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(companion.COMPANION_VARIABLE, "nowhere.at.all")
    with pytest.raises(HookNameError, match=companion.COMPANION_VARIABLE):
        companion.start(_log)
