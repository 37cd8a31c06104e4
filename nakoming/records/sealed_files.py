"""Files sealed piece by piece, so that one of any size needs a few megabytes of memory.

A file has a key of its own, derived from the customer's and a random salt, so destroying that key destroys it
too. Each piece is sealed (AES-256-GCM) under its number and whether it is the last: none can be left out,
doubled, moved or cut off. What `Keyring.seal` made at once is read here as well.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nakoming.records.errors import SealBroken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nakoming.records.keys import Keyring

FORMAT: Final = b"\x02"
PIECE: Final = 1 << 20
"""Bytes sealed at a time."""
_SALT = 32
_TAG = 16
_HEADER = len(FORMAT) + 2 + _SALT


def sealed(keys: Keyring, customer: str, what: str, source: BinaryIO) -> Iterator[bytes]:
    """The sealed form of what `source` holds, piece by piece; `what` as for `Keyring.seal`."""
    salt = os.urandom(_SALT)
    generation, key = keys.file_key(customer, what, salt)
    yield FORMAT + generation.to_bytes(2, "big") + salt
    cipher, number = AESGCM(key), 0
    piece = source.read(PIECE)
    while True:
        following = source.read(PIECE) if piece else b""
        yield cipher.encrypt(_nonce(number, is_last=not following), piece, None)
        if not following:
            return
        piece, number = following, number + 1


def opened(keys: Keyring, customer: str, what: str, source: BinaryIO) -> Iterator[bytes]:
    """What was sealed, piece by piece.

    Raises:
        KeyMissing: the key is gone; `KeyDestroyed`: for good.
        SealBroken: the bytes are not ours; pieces that came before were.
    """
    head = source.read(len(FORMAT))
    if head != FORMAT:
        yield keys.open(customer, what, head + source.read())
        return
    rest = source.read(_HEADER - len(FORMAT))
    if len(rest) != _HEADER - len(FORMAT):
        raise SealBroken(what=what)
    generation, salt = int.from_bytes(rest[:2], "big"), rest[2:]
    _, key = keys.file_key(customer, what, salt, generation)
    yield from _pieces(AESGCM(key), what, source)


def _pieces(cipher: AESGCM, what: str, source: BinaryIO) -> Iterator[bytes]:
    number, piece = 0, source.read(PIECE + _TAG)
    while True:
        following = source.read(PIECE + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, is_last=not following), piece, None)
        except InvalidTag as broken:
            raise SealBroken(what=what) from broken
        if not following:
            return
        piece, number = following, number + 1


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])
