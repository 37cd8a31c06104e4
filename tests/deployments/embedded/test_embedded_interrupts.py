"""Ctrl-C is never lost."""

from __future__ import annotations

import os
import signal

import pytest

from deployments.embedded.background import noting_interrupts


class Interrupted:
    """Ctrl-C comes while it is being destroyed."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # the signal is handled between two of these
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_while_an_object_is_destroyed_is_noted() -> None:
    with noting_interrupts() as interrupted:
        assert not interrupted()
        Interrupted()
        assert interrupted()


def test_an_interrupt_is_raised_as_always() -> None:
    before = signal.getsignal(signal.SIGINT)
    with noting_interrupts() as interrupted, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert interrupted()
    assert signal.getsignal(signal.SIGINT) is before
