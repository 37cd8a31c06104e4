"""The manifest of a backup: what it holds, signed; written last, it makes the files a backup (S-2.4.2).

Its file is canonical JSON (RFC 8785), so that one content has one file and one
SHA-256, which the ledger keeps.
"""

from __future__ import annotations

import binascii
import hashlib
import json
from base64 import b64decode, b64encode
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from blocks.backup.protocol import Engine, Facts
from nakoming.records.types import canonical
from tasks.backup.stream_errors import (
    ManifestChanged,
    ManifestInvalid,
    ManifestNotOfLedger,
    ManifestOfAnother,
    ManifestSignerUnknown,
)

if TYPE_CHECKING:
    from nakoming.records.backup_keys import BackupKeys
    from tasks.backup.stream import Sent

FILE: Final = "manifest.json"
MOST_BYTES: Final = 16 * 1024 * 1024
"""Of a manifest's file; more is none."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Model = TypeVar("Model", bound=BaseModel)
Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PartFacts(_Closed):
    """`blocks.backup.protocol.Facts`, as a manifest keeps them."""

    engine: Engine
    taken_at: datetime
    rows: dict[str, Count]
    checksums: dict[str, str]
    position: str | None
    tools: dict[str, str]

    def as_facts(self) -> Facts:
        """The facts themselves."""
        return Facts(**self.model_dump())


class Part(_Closed):
    """One file of a backup.

    Attributes:
        name: within the backup's folder.
        bytes: of the file.
        raw_bytes: of the dump in it.
        sha256: of the file.
        facts: of the dump.
    """

    name: Literal["database.age", "documents.age"]
    bytes: Count
    raw_bytes: Count
    sha256: Sha256
    facts: PartFacts


class Manifest(_Closed):
    """What a backup is.

    Attributes:
        version: of this form.
        customer: whose it is.
        set_id: its name.
        sequence: its number among the customer's.
        night_on: of which night.
        parts: its files.
        key_id: of the key that opens them.
        tools: versions of what made it, beside those of each part.
        made_at: when its parts were whole.
        previous: SHA-256 of the file of the customer's manifest before this one.
    """

    version: Literal[1] = 1
    customer: str
    set_id: str
    sequence: Count
    night_on: date
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]
    key_id: str
    tools: dict[str, str] = {}
    made_at: datetime
    previous: Sha256 | None = None

    @property
    def folder(self) -> str:
        """Where it lies at each site."""
        return folder_of(self.customer, self.set_id)


def folder_of(customer: str, set_id: str) -> str:
    """Where a backup lies at each site."""
    return f"{customer}/{set_id}"


def part_of(name: Literal["database.age", "documents.age"], sent: Sent) -> Part:
    """What a manifest says of a part that was sent."""
    facts = sent.facts
    return Part(
        name=name,
        bytes=sent.bytes,
        raw_bytes=sent.raw_bytes,
        sha256=sent.sha256,
        facts=PartFacts(
            engine=facts.engine,
            taken_at=facts.taken_at,
            rows=dict(facts.rows),
            checksums=dict(facts.checksums),
            position=facts.position,
            tools=dict(facts.tools),
        ),
    )


def signed(manifest: Manifest, keys: BackupKeys) -> bytes:
    """The file of a manifest."""
    content = manifest.model_dump(mode="json")
    signer, signature = keys.sign(canonical(content))
    return canonical({"manifest": content, "signature": b64encode(signature).decode(), "signed_by": signer})


def sha256_of(file: bytes) -> str:
    """What the ledger keeps of a manifest's file."""
    return hashlib.sha256(file).hexdigest()


class _File(_Closed):
    manifest: dict[str, Any]
    signature: str
    signed_by: str


def parsed(
    file: bytes, keys: BackupKeys, *, customer: str, set_id: str, site: str, sha256: str | None
) -> Manifest:
    """Read the file of a manifest, and trust nothing of it before its signature.

    Args:
        file: its bytes.
        keys: whose signatures are trusted.
        customer: whose backup it must be.
        set_id: which it must be.
        site: where it was read, for messages.
        sha256: what the ledger keeps of it; None only where no ledger is left.

    Raises:
        ManifestInvalid: it is no manifest.
        ManifestSignerUnknown: nobody trusted signed it.
        ManifestChanged: its signature does not fit.
        ManifestOfAnother: it is that of another backup.
        ManifestNotOfLedger: it is an older or a newer one than the ledger's.
    """
    where = {"customer": customer, "set_id": set_id, "site": site}
    envelope = _envelope(file, where)
    content = canonical(envelope.manifest)
    fits = keys.signed(envelope.signed_by, _decoded(envelope.signature, where), content)
    if fits is None:
        raise ManifestSignerUnknown(**where, signer=envelope.signed_by)
    if not fits:
        raise ManifestChanged(**where)
    manifest = _validated(Manifest, envelope.manifest, where)
    if (manifest.customer, manifest.set_id) != (customer, set_id):
        raise ManifestOfAnother(**where, found_customer=manifest.customer, found_set=manifest.set_id)
    if sha256 is not None and sha256_of(file) != sha256:
        raise ManifestNotOfLedger(**where, found=sha256_of(file), expected=sha256)
    return manifest


def _envelope(file: bytes, where: dict[str, str]) -> _File:
    try:
        found = json.loads(file)
        again = canonical(found)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(**where, reason="it is no JSON") from error
    if again != file:  # a second field of one name, blanks, digits written in another way
        raise ManifestInvalid(**where, reason="it is not written in canonical form")
    return _validated(_File, found, where)


def _validated(kind: type[Model], found: Any, where: dict[str, str]) -> Model:
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise ManifestInvalid(**where, reason=f"{place}: {first['msg']}") from error


def _decoded(text: str, where: dict[str, str]) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ManifestInvalid(**where, reason="its signature is no base64") from error
