"""Passes: what a browser holds after it showed a link. A pass lets look; deciding needs the form as well.

A pass is a signed cookie that names one link and its generation, so that a newer link ends it. The form token
and the word to type are bound to the pass, so that neither fits another visitor, link or generation.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from nakoming.portal.word_list import WORDS

if TYPE_CHECKING:
    from nakoming.records.keys import Keyring

LIFETIME: Final = timedelta(hours=12)
WORD_LIFETIME: Final = timedelta(hours=2)
_LAYOUT: Final = struct.Struct(">IQ12s")  # generation, end in seconds since 1970, nonce
_MAC: Final = 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Pass:
    """The right to look at one question until `ends_at`."""

    link_id: str
    generation: int
    ends_at: datetime
    nonce: bytes

    @property
    def bound(self) -> bytes:
        """What a form of this pass is bound to."""
        return f"{self.link_id}|{self.generation}|{self.nonce.hex()}".encode()


@dataclass(frozen=True)
class Challenge:
    """A word to type, and the sealed half that the form carries and that does not tell the word."""

    word: str
    sealed: str


class Typed(StrEnum):
    """What became of a word that was typed."""

    RIGHT = "right"
    WRONG = "wrong"
    EXPIRED = "expired"


class Passes:
    """Makes and reads passes with secrets derived from the link key; nothing is stored."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys

    def issue(self, link_id: str, generation: int, now: datetime, until: datetime | None = None) -> Pass:
        """A new pass; `until` for one that may not outlive another."""
        ends_at = min(now + LIFETIME, until or now + LIFETIME)
        return Pass(link_id=link_id, generation=generation, ends_at=ends_at, nonce=os.urandom(12))

    def write(self, held: Pass) -> str:
        """The cookie of a pass."""
        body = _LAYOUT.pack(held.generation, int((held.ends_at - _EPOCH).total_seconds()), held.nonce)
        return base64.urlsafe_b64encode(body + self._sign("portal-cookie", held.link_id, body)).decode()

    def read(self, link_id: str, cookie: str, now: datetime) -> Pass | None:
        """The pass that a cookie proves for this link; nothing for a forged or ended one."""
        try:
            raw = base64.urlsafe_b64decode(cookie.encode())
        except (ValueError, binascii.Error):
            return None
        body, mac = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
        if len(raw) != _LAYOUT.size + _MAC:
            return None
        if not hmac.compare_digest(self._sign("portal-cookie", link_id, body), mac):
            return None
        generation, ends, nonce = _LAYOUT.unpack(body)
        ends_at = _EPOCH + timedelta(seconds=ends)
        if now > ends_at:
            return None
        return Pass(link_id=link_id, generation=generation, ends_at=ends_at, nonce=nonce)

    def form_token(self, held: Pass) -> str:
        """What a form must bring along to have been made for this pass."""
        return hmac.new(self._keys.derive("portal-form"), held.bound, hashlib.sha256).hexdigest()

    def fits(self, held: Pass, form_token: str) -> bool:
        """Whether a form was made for this pass."""
        return hmac.compare_digest(self.form_token(held).encode(), form_token.encode())

    def challenge(self, held: Pass, language: str, now: datetime) -> Challenge:
        """A word to type, from the list of this language."""
        ends = int((now + WORD_LIFETIME - _EPOCH).total_seconds())
        plain = f"{language}.{ends}.{os.urandom(6).hex()}"
        return self._challenge(held, plain)

    def again(self, held: Pass, sealed: str) -> Challenge | None:
        """The challenge whose sealed half this is, to show the same word once more."""
        plain, _, _ = sealed.rpartition(".")
        if not sealed.isascii() or plain.partition(".")[0] not in WORDS:
            return None
        made = self._challenge(held, plain)
        return made if hmac.compare_digest(made.sealed.encode(), sealed.encode()) else None

    def check(self, held: Pass, sealed: str, typed: str, now: datetime) -> Typed:
        """Whether `typed` is the word that was shown with `sealed`, and in time."""
        made = self.again(held, sealed)
        if made is None or not hmac.compare_digest(made.word.encode(), typed.strip().casefold().encode()):
            return Typed.WRONG
        ends = int(made.sealed.split(".")[1])
        return Typed.RIGHT if (now - _EPOCH).total_seconds() <= ends else Typed.EXPIRED

    def mark(self, held: Pass, document_id: str) -> str:
        """Proof that a document was uploaded with a form of this link, so that it need not be sent again."""
        mac = self._sign("portal-upload", held.link_id, f"{held.generation}|{document_id}".encode())
        return f"{document_id}.{mac.hex()}"

    def marked(self, held: Pass, mark: str) -> str | None:
        """The document that a mark names; nothing for a forged one."""
        document_id = mark.partition(".")[0]
        fits = hmac.compare_digest(self.mark(held, document_id).encode(), mark.encode())
        return document_id if fits else None

    def _challenge(self, held: Pass, plain: str) -> Challenge:
        digest = self._sign("portal-word", held.bound.decode(), plain.encode())
        words = WORDS[plain.partition(".")[0]]
        # One half of the digest chooses the word, the other proves it: the proof does not tell the choice.
        word = words[int.from_bytes(digest[:8], "big") % len(words)]
        return Challenge(word=word, sealed=f"{plain}.{digest[16:].hex()}")

    def _sign(self, purpose: str, subject: str, body: bytes) -> bytes:
        secret = self._keys.derive(purpose)
        return hmac.new(secret, subject.encode() + b"|" + body, hashlib.sha256).digest()
