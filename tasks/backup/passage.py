"""A bounded way for blocks between two threads, which either end may break off."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH: Final = 6


class Abandoned(Exception):
    """The other end gave up; internal to a stream, never shown."""


class Passage:
    """Blocks go in at one thread and come out at another, in order, a few at a time."""

    def __init__(self, depth: int = _DEPTH) -> None:
        self._blocks: deque[bytes] = deque()
        self._depth = depth
        self._moved = threading.Condition()
        self._ended = False
        self._broken = False
        self._left = False

    def put(self, block: bytes, patience: float | None = None) -> bool:
        """Give a block; whether it was taken in time.

        Raises:
            Abandoned: nobody takes any more.
        """
        with self._moved:
            if not self._moved.wait_for(lambda: self._left or len(self._blocks) < self._depth, patience):
                return False
            if self._left:
                raise Abandoned
            self._blocks.append(block)
            self._moved.notify_all()
            return True

    def end(self) -> None:
        """All was given."""
        with self._moved:
            self._ended = True
            self._moved.notify_all()

    def break_off(self) -> None:
        """No more comes, and what came is worth nothing: the taker is told at once."""
        with self._moved:
            self._broken = True
            self._moved.notify_all()

    def leave(self) -> None:
        """Nothing is taken any more: the giver is told at once."""
        with self._moved:
            self._left = True
            self._blocks.clear()
            self._moved.notify_all()

    def __iter__(self) -> Iterator[bytes]:
        """The blocks until the end.

        Raises:
            Abandoned: the giver broke off.
        """
        while True:
            with self._moved:
                self._moved.wait_for(lambda: self._blocks or self._ended or self._broken)
                if self._broken:
                    raise Abandoned
                if not self._blocks:
                    return
                block = self._blocks.popleft()
                self._moved.notify_all()
            yield block
