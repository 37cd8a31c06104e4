"""Keys of backups: one age identity per customer and generation, and the key that signs what was kept.

They lie in the key folder, outside every database that is backed up. A destroyed key leaves an empty file, so
that it is told from a lost one, and with it go all backups that were made for it (S-4.2.19).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from nakoming.records.errors import RecordsError
from nakoming.records.key_files import make_file, overwrite, sync_folder

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pyrage import x25519

_LIVE: Final = ".age-key"
_DEAD: Final = ".age-key-destroyed"
_SIGNING: Final = "backup-signing.ed25519-key"
_TRUSTED: Final = ".ed25519-public"
_CUSTOMER: Final = re.compile(r"[a-z][a-z0-9-]{0,60}")
_KEY_ID: Final = re.compile(r"([a-z][a-z0-9-]{0,60})\.([1-9][0-9]{0,5})")
_PUBLIC_BYTES: Final = 32


class BackupKeyLost(RecordsError):
    """A key is not in the key folder."""

    template = (
        "The backup key {key_id} is not in {folder}: its backups cannot be read. "
        "Put it back from its escrow copy."
    )
    code = "NK2040"


class BackupKeyDestroyed(RecordsError):
    """A key was destroyed on purpose (S-4.2.19): it never comes back."""

    template = "The backup key {key_id} was destroyed: its backups can never be read again."
    code = "NK2041"


class BackupKeyDamaged(RecordsError):
    """A key's file does not hold a key."""

    template = "The backup key {key_id} in {folder} is damaged: {reason}. Put it back from its copy."
    code = "NK2042"


class EscrowRecipientInvalid(RecordsError):
    """The public key for the escrow copy is not one."""

    template = "'{given}' is no public key of age; allowed: age1 and 58 signs, as age-keygen prints it."
    code = "NK2043"
    exit_status = 2


class BackupCustomerInvalid(RecordsError, ValueError):
    """No customer has such a name."""

    template = "{given!r} names no customer and no key of one; allowed: a-z, 0-9, -, then a generation."
    code = "NK2044"


@dataclass(frozen=True, slots=True)
class Recipient:
    """For whom a backup is encrypted.

    Attributes:
        key_id: customer and generation.
        public: age's public key, as text.
    """

    key_id: str
    public: str


class BackupKeys:
    """The keys of backups in the key folder; every question looks at the files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where the keys are."""
        return self._folder

    def recipient(self, customer: str, used: Collection[str] = ()) -> Recipient:
        """For whom a new backup is encrypted: the customer's newest generation, made when there is none.

        Args:
            customer: whose.
            used: ids of keys that backups were made for; one of these that is lost is not made anew, for
                a key of the same name that opens none of them would pass for it.
        """
        live = self.generations(customer)
        gone = {*self._numbers(customer, _DEAD), *map(_generation, used)} - {*live}
        newest = max(live, default=0)
        if newest <= max(gone, default=0):
            return self.rotate(customer, used)
        key_id = f"{customer}.{newest}"
        return Recipient(key_id, str(self.identity(key_id).to_public()))

    def rotate(self, customer: str, used: Collection[str] = ()) -> Recipient:
        """Make the next generation; the older ones stay, for the backups made for them.

        Args: as of `recipient`.
        """
        from pyrage import x25519

        there = [*self.generations(customer), *self._numbers(customer, _DEAD)]
        key_id = f"{customer}.{max([*there, *map(_generation, used)], default=0) + 1}"
        make_file(self._path(key_id), f"{x25519.Identity.generate()}\n".encode())
        return Recipient(key_id, str(self.identity(key_id).to_public()))

    def generations(self, customer: str) -> list[int]:
        """The generations of a customer that are there, oldest first."""
        return self._numbers(customer, _LIVE)

    def identity(self, key_id: str) -> x25519.Identity:
        """The key that opens the backups made for it.

        Raises:
            BackupKeyDestroyed: for good.
            BackupKeyLost: it is not in the folder.
            BackupKeyDamaged: its file holds no key.
        """
        from pyrage import IdentityError, x25519

        text = self._text(key_id)
        try:
            return x25519.Identity.from_str(text.strip())
        except IdentityError as error:
            raise BackupKeyDamaged(
                key_id=key_id, folder=self._folder, reason="its text is no age key"
            ) from error

    def escrow(self, key_id: str, recipient: str) -> bytes:
        """A copy of a key that only the holder of another age key can read; errors as of `identity`.

        Raises:
            EscrowRecipientInvalid: `recipient` is no public key.
        """
        import pyrage

        try:
            public = pyrage.x25519.Recipient.from_str(recipient.strip())
        except pyrage.RecipientError as error:
            raise EscrowRecipientInvalid(given=recipient) from error
        sealed: bytes = pyrage.encrypt(f"{self.identity(key_id)}\n".encode(), [public])
        return sealed

    def destroy(self, customer: str) -> list[str]:
        """Overwrite every generation of a customer's key; the ids of what was destroyed.

        Done again, it ends what an interruption left.
        """
        destroyed = []
        for generation in self.generations(customer):
            key_id = f"{customer}.{generation}"
            self._path(key_id).rename(self._path(key_id, _DEAD))
            destroyed.append(key_id)
        if self._folder.exists():
            sync_folder(self._folder)
        for generation in self._numbers(customer, _DEAD):
            overwrite(self._path(f"{customer}.{generation}", _DEAD))
        return destroyed

    def sign(self, content: bytes) -> tuple[str, bytes]:
        """The id of the signing key and its signature; the key is made at the first call."""
        path = self._folder / _SIGNING
        if not path.exists():
            make_file(path, Ed25519PrivateKey.generate().private_bytes_raw())
        try:
            key = Ed25519PrivateKey.from_private_bytes(path.read_bytes())
        except ValueError as error:
            raise BackupKeyDamaged(
                key_id="backup-signing", folder=self._folder, reason="it has not 32 bytes"
            ) from error
        public = key.public_key().public_bytes_raw()
        trusted = self._folder / f"{_signer_id(public)}{_TRUSTED}"
        if not trusted.exists():
            make_file(trusted, public)
        return _signer_id(public), key.sign(content)

    def signed(self, signer: str, signature: bytes, content: bytes) -> bool | None:
        """Whether a signature fits; None when the key folder trusts no signer of that id."""
        public = self.signers().get(signer)
        if public is None:
            return None
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, content)
        except InvalidSignature:
            return False
        return True

    def signers(self) -> dict[str, bytes]:
        """The public keys that are trusted, by id: our own, and those an operator put beside it."""
        found = {}
        for path in self._folder.glob(f"*{_TRUSTED}"):
            public = path.read_bytes()
            if len(public) == _PUBLIC_BYTES and path.name == f"{_signer_id(public)}{_TRUSTED}":
                found[_signer_id(public)] = public
        return found

    def trust(self, public: bytes) -> str:
        """Trust the signatures of another installation by its exported public key; returns its id."""
        if len(public) != _PUBLIC_BYTES:
            raise BackupKeyDamaged(key_id="signer", folder=self._folder, reason="it has not 32 bytes")
        make_file(self._folder / f"{_signer_id(public)}{_TRUSTED}", public)
        return _signer_id(public)

    def _text(self, key_id: str) -> str:
        if not _KEY_ID.fullmatch(key_id):
            raise BackupCustomerInvalid(given=key_id)
        try:
            return self._path(key_id).read_text(encoding="ascii")
        except FileNotFoundError as missing:
            if self._path(key_id, _DEAD).exists():
                raise BackupKeyDestroyed(key_id=key_id) from None
            raise BackupKeyLost(key_id=key_id, folder=self._folder) from missing
        except UnicodeDecodeError as error:
            raise BackupKeyDamaged(
                key_id=key_id, folder=self._folder, reason="its text is no age key"
            ) from error

    def _numbers(self, customer: str, ending: str) -> list[int]:
        if not _CUSTOMER.fullmatch(customer):
            raise BackupCustomerInvalid(given=customer)
        files = self._folder.glob(f"{customer}.*{ending}")
        return sorted(int(file.name.split(".")[1]) for file in files)

    def _path(self, key_id: str, ending: str = _LIVE) -> Path:
        return self._folder / f"{key_id}{ending}"


def _generation(key_id: str) -> int:
    return int(key_id.rpartition(".")[2])


def _signer_id(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:16]
