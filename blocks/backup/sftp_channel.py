"""Requests and answers of SFTP over one channel of SSH, none of which may hang."""

from __future__ import annotations

import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from blocks.backup.sftp_inflow import Inflow
from blocks.backup.sftp_packets import INIT, STATUS, VERSION, SftpBroken, check_status, names_of_pairs

if TYPE_CHECKING:
    import paramiko

_LARGEST_PACKET: Final = 1 << 22
_PROTOCOL: Final = 3
_NUMBER_BYTES: Final = 4


class SftpChannel:
    """Asks and is answered; one thread at a time.

    Args:
        channel: of a session, nothing started in it yet.
        answer_within: seconds in which the server must take or give something.

    Raises:
        SftpBroken: the server does not speak SFTP.
    """

    def __init__(self, channel: paramiko.Channel, answer_within: float) -> None:
        self._channel = channel
        self._number = 0
        self._unanswered = 0
        self._watch = _Watch(channel, answer_within)
        channel.in_buffer = Inflow(self._watch.beat)  # type: ignore[assignment]  # all that a channel asks of it
        channel.settimeout(answer_within)
        with self._watch:  # paramiko itself would wait for ever
            channel.invoke_subsystem("sftp")
        self._send(struct.pack(">IBI", 5, INIT, _PROTOCOL))
        kind, body = self._packet()
        if kind != VERSION:
            raise SftpBroken("it does not speak SFTP")
        self.extensions = frozenset(names_of_pairs(body[4:]))

    def close(self) -> None:
        """End the channel."""
        self._watch.close()
        with suppress(OSError, EOFError):  # on a broken line there is nobody to say it to
            self._channel.close()

    def ask(self, kind: int, body: bytes, data: bytes | memoryview = b"") -> int:
        """Send a request; returns its number."""
        self._number = (self._number + 1) & 0xFFFFFFFF
        size = 5 + len(body) + len(data)
        self._send(b"".join((struct.pack(">IBI", size, kind, self._number), body, data)))
        self._unanswered += 1
        return self._number

    def answer(self, number: int) -> tuple[int, memoryview]:
        """Kind and body of the answer to the oldest request that has none yet.

        Raises:
            SftpStatus: it is a status other than OK.
            SftpBroken: it is the answer to something else.
        """
        kind, got, body = self.next_answer()
        if got != number:
            raise SftpBroken(f"it answers request {got} where {number} is due")
        if kind == STATUS:
            check_status(body)
        return kind, body

    def next_answer(self) -> tuple[int, int, memoryview]:
        """Kind, number and body of the next answer, whatever it is."""
        kind, body = self._packet()
        if len(body) < _NUMBER_BYTES:
            raise SftpBroken("an answer is too short")
        self._unanswered -= 1
        return kind, int.from_bytes(body[:_NUMBER_BYTES], "big"), body[_NUMBER_BYTES:]

    def settle(self) -> None:
        """Take the answers that nobody waits for any more, after one of them was bad."""
        while self._unanswered > 0:
            self.next_answer()

    def _send(self, packet: bytes) -> None:
        with self._watch:
            self._channel.sendall(packet)

    def _packet(self) -> tuple[int, memoryview]:
        size = int.from_bytes(self._receive(4), "big")
        if not 1 <= size <= _LARGEST_PACKET:
            raise SftpBroken("what it sends is not SFTP")
        packet = memoryview(self._receive(size))
        return packet[0], packet[1:]

    def _receive(self, size: int) -> bytes:
        with self._watch:
            got = self._channel.recv(size)
        if len(got) < size:
            raise SftpBroken("the connection was closed")
        return got


class _Watch:
    # Closes the connection when nothing moves: a peer that stops reading can block a write for ever
    # inside paramiko, beneath the channel's own time-out.

    def __init__(self, channel: paramiko.Channel, limit: float) -> None:
        self._transport = channel.get_transport()
        self._limit = limit
        self._watching = False
        self._moved = 0.0
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="sftp-watch", daemon=True).start()

    def beat(self) -> None:
        self._moved = time.monotonic()

    def close(self) -> None:
        self._ended.set()

    def __enter__(self) -> None:
        self.beat()
        self._watching = True

    def __exit__(self, *_: object) -> None:
        self._watching = False

    def _run(self) -> None:
        while not self._ended.wait(max(0.05, self._limit / 4)):
            if self._watching and time.monotonic() - self._moved > self._limit * 1.5:
                self._transport.close()
                return
