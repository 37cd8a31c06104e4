"""What is kept of a command's output: head and tail, without secrets, as text any database can hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from blocks.secrets import REDACTED, redacted

if TYPE_CHECKING:
    from collections.abc import Collection

_REMOVED = REDACTED.encode()
_LAST_BYTES = 64 * 1024
# Everything but tab and newline: PostgreSQL refuses NUL, escape sequences would steer an operator's terminal.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def last_part(output: str, limit: int = _LAST_BYTES) -> str:
    """The end of an output, of at most `limit` bytes: what is kept with a step of a case."""
    data = output.encode()
    return output if len(data) <= limit else data[-limit:].decode(errors="ignore")


class KeptOutput:
    """Takes bytes as they come and keeps at most `limit` of them: the first half and the last half.

    Secrets are removed from the stream before it is cut, also where one spans two reads.

    Args:
        limit: bytes kept at most; at least 2.
        secrets: texts replaced; empty ones are ignored.
    """

    def __init__(self, limit: int, secrets: Collection[str] = ()) -> None:
        self._head_limit = limit // 2
        self._tail_limit = limit - self._head_limit
        self._head = bytearray()
        self._tail = bytearray()
        self._cut = 0
        self._pending = b""
        # Longest first, so that a secret that contains another is removed whole.
        forms = {form for secret in secrets for form in (secret, secret.strip()) if form}
        self._secrets = sorted((form.encode() for form in forms), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._secrets))) if self._secrets else None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self._pattern is None:
            self._keep(chunk)
            return
        clean = self._pattern.sub(_REMOVED, self._pending + chunk)
        held = self._begun_secret(clean)
        self._pending = clean[len(clean) - held :]
        self._keep(clean[: len(clean) - held])

    def text(self) -> str:
        """Return what was kept, with a note in the middle of how many bytes were left out."""
        self._keep(self._pending)
        self._pending = b""
        note = f"\n[… {self._cut} bytes left out …]\n" if self._cut else ""
        return redacted(_readable(bytes(self._head)) + note + _readable(bytes(self._tail)))

    def _begun_secret(self, data: bytes) -> int:
        # Length of the longest end of `data` with which a secret begins.
        return max(
            (
                size
                for secret in self._secrets
                for size in range(1, min(len(secret), len(data) + 1))
                if data.endswith(secret[:size])
            ),
            default=0,
        )

    def _keep(self, data: bytes) -> None:
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        surplus = len(self._tail) - self._tail_limit
        if surplus > 0:
            del self._tail[:surplus]
            self._cut += surplus


def _readable(data: bytes) -> str:
    text = data.decode("utf-8", errors="backslashreplace").replace("\r\n", "\n")
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
