"""Attempts that are bounded in time: one that hangs or fails hides none of the others."""

from __future__ import annotations

import threading
import time
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Attempt:
    """Something to try. `act` gives what was found in a sentence, or raises; `advice` is for a time-out."""

    name: str
    act: Callable[[], str]
    advice: str


@dataclass(frozen=True)
class Found:
    """How an attempt ended: what was found, or what is wrong and what to do."""

    name: str
    ok: bool
    text: str


def tried(attempts: Sequence[Attempt], timeout: float) -> list[Found]:
    """Try all at the same time, each for so many seconds at the most; what was found, in the same order."""
    found: dict[int, Found] = {}
    give_up = time.monotonic() + timeout
    # Daemons: an attempt that hangs is left behind and does not keep the command from ending.
    threads = [
        threading.Thread(
            target=copy_context().run,  # Prefect's settings are part of the context
            args=(_try, place, attempt, found),
            name=attempt.name,
            daemon=True,
        )
        for place, attempt in enumerate(attempts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, give_up - time.monotonic()))
    return [
        found.get(place, Found(attempt.name, ok=False, text=f"No answer in {timeout:g} s. {attempt.advice}"))
        for place, attempt in enumerate(attempts)
    ]


def _try(place: int, attempt: Attempt, found: dict[int, Found]) -> None:
    try:
        found[place] = Found(attempt.name, ok=True, text=attempt.act())
    except NakomingError as wrong:
        found[place] = Found(attempt.name, ok=False, text=f"{wrong} [{wrong.code}]")
    except Exception as raised:  # noqa: BLE001 - whatever a driver raises is a finding here
        lines = str(raised).strip().splitlines() or ["without a word"]
        text = f"{type(raised).__name__}: {lines[0]}. {attempt.advice}"
        found[place] = Found(attempt.name, ok=False, text=text)
