"""Keys outside the database: one per customer and generation, one for links.

Payloads, documents, step outputs and addresses are sealed (AES-256-GCM) with the customer's key, so that
destroying the key destroys them (S-4.2.19). Each key is a file of its own that only its owner may read.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nakoming.records.errors import KeyDestroyed, KeyMissing, SealBroken
from nakoming.records.key_files import make_file, overwrite, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT = b"\x01"
_NONCE = 12
_KEY_BYTES = 32
_HEADER = len(_FORMAT) + 2 + _NONCE
_LINK_KEY = "portal-links"
_LIVE = ".key"
_DEAD = ".destroyed"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,60}")


class Keyring:
    """The key folder. Keys are made when a customer is first written for, and read once per process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[str, bytes] = {}
        self._paths: dict[tuple[str, str], Path] = {}
        self._newest: dict[str, int] = {}

    @property
    def folder(self) -> Path:
        """Where the keys are."""
        return self._folder

    def seal(self, customer: str, what: str, plain: bytes) -> bytes:
        """Encrypt for `customer`; `what` names the place it is kept, so that it fits nowhere else."""
        generation, key = self._newest_key(customer)
        nonce = os.urandom(_NONCE)
        header = _FORMAT + generation.to_bytes(2, "big") + nonce
        return header + AESGCM(key).encrypt(nonce, plain, _bound(customer, what))

    def open(self, customer: str, what: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` gave.

        Raises:
            KeyMissing: the key is gone; `KeyDestroyed`: for good.
            SealBroken: the bytes are not ours.
        """
        if sealed[:1] != _FORMAT or len(sealed) <= _HEADER:
            raise SealBroken(what=what)
        cipher = AESGCM(self._generation(customer, what, int.from_bytes(sealed[1:3], "big")))
        try:
            return cipher.decrypt(sealed[3:_HEADER], sealed[_HEADER:], _bound(customer, what))
        except InvalidTag as broken:
            raise SealBroken(what=what) from broken

    def file_key(
        self, customer: str, what: str, salt: bytes, generation: int | None = None
    ) -> tuple[int, bytes]:
        """A key for one file alone, of a customer's newest key or of that generation (which is given back).

        Raises:
            KeyMissing: the key is gone; `KeyDestroyed`: for good.
            SealBroken: there never was such a generation.
        """
        if generation is None:
            generation, key = self._newest_key(customer)
        else:
            key = self._generation(customer, what, generation)
        derived = HKDF(hashes.SHA256(), _KEY_BYTES, salt, _bound(customer, what)).derive(key)
        return generation, derived

    def _generation(self, customer: str, what: str, generation: int) -> bytes:
        try:
            return self._key(f"{customer}.{generation}", make=False)
        except KeyMissing:
            destroyed = self._numbers(customer, _DEAD)
            if generation in destroyed:
                raise KeyDestroyed(key_id=f"{customer}.{generation}") from None
            if destroyed or self.generations(customer):  # never was one: the number was changed
                raise SealBroken(what=what) from None
            raise

    def sign_link(self, link_id: str, generation: int) -> str:
        """The secret half of a link: nothing in the database can make it."""
        key = self._key(f"{_LINK_KEY}.1", make=True)
        mac = hmac.new(key, f"{link_id}|{generation}".encode(), hashlib.sha256)
        return mac.hexdigest()

    def derive(self, purpose: str) -> bytes:
        """A secret of the portal for another purpose (cookies, form tokens), one per purpose."""
        return hmac.new(self._key(f"{_LINK_KEY}.1", make=True), purpose.encode(), hashlib.sha256).digest()

    def generations(self, customer: str) -> list[int]:
        """The generations of a customer's key that are there, oldest first."""
        return self._numbers(customer, _LIVE)

    def knows(self, customer: str) -> bool:
        """Whether there is a key of the customer, or was one that was destroyed."""
        return bool(self.generations(customer) or self._numbers(customer, _DEAD))

    def destroy(self, customer: str) -> list[str]:
        """Overwrite every generation of a customer's key; the names of what was destroyed.

        An empty file stays behind: what is sealed for the customer after this takes a new generation, so that
        what the destroyed ones sealed is known as destroyed and not taken for changed.
        """
        destroyed = []
        for generation in self.generations(customer):
            name = f"{customer}.{generation}"
            self._path(name).rename(self._path(name, _DEAD))
            self._keys.pop(name, None)
            destroyed.append(name)
        self._newest.pop(customer, None)
        if self._folder.exists():
            sync_folder(self._folder)
        for generation in self._numbers(customer, _DEAD):  # also what an interrupted destruction left
            overwrite(self._path(f"{customer}.{generation}", _DEAD))
        return destroyed

    def _numbers(self, customer: str, ending: str) -> list[int]:
        files = self._folder.glob(f"{_checked(customer)}.*{ending}")
        return sorted(int(file.name.split(".")[1]) for file in files)

    def _newest_key(self, customer: str) -> tuple[int, bytes]:
        known = self._newest.get(customer)
        if known is not None:
            try:
                return known, self._key(f"{customer}.{known}", make=False)
            except KeyMissing:  # another process destroyed it
                del self._newest[customer]
        destroyed = max(self._numbers(customer, _DEAD), default=0)
        newest = max(self.generations(customer), default=0)
        generation = newest if newest > destroyed else destroyed + 1
        key = self._key(f"{customer}.{generation}", make=True)
        self._newest[customer] = generation
        return generation, key

    def _key(self, name: str, *, make: bool) -> bytes:
        path = self._path(name)
        if not path.exists():  # asked each time: a key that another process destroyed is gone here too
            self._keys.pop(name, None)
            if make:
                make_file(path, os.urandom(_KEY_BYTES))
        if name not in self._keys:
            try:
                self._keys[name] = path.read_bytes()
            except FileNotFoundError as missing:
                raise KeyMissing(key_id=name, folder=self._folder) from missing
        return self._keys[name]

    def _path(self, name: str, ending: str = _LIVE) -> Path:
        path = self._paths.get((name, ending))
        if path is None:
            path = self._paths[name, ending] = self._folder / f"{name}{ending}"
        return path


def _checked(customer: str) -> str:
    if not _NAME.fullmatch(customer) or customer == _LINK_KEY:
        msg = f"{customer!r} is no customer name"
        raise ValueError(msg)
    return customer


def _bound(customer: str, what: str) -> bytes:
    return f"{_checked(customer)}|{what}".encode()
