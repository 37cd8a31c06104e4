"""The artefact: one file holding a release, the same bytes for the same revision on every machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.errors import ArtefactError

if TYPE_CHECKING:
    from pathlib import Path

    from demo.revisions import Revision

DESCRIPTION = "RELEASE.json"
INSTALLED = "INSTALLED.json"
LARGEST_ARTEFACT = 64 * 1024 * 1024
FIXED_MTIME = 0
FILE_MODE = 0o644


@dataclass(frozen=True)
class Artefact:
    """An artefact that was read: its path, SHA-256, and what the build wrote into it."""

    path: Path
    sha256: str
    version: str
    revision: str
    schema_revision: int


def pack(revision: Revision, folder: Path) -> Artefact:
    """Write `suite-<revision>.tar.gz` into `folder`, whole or not at all."""
    schema = _schema_revision(revision)
    description = {"revision": revision.name, "version": revision.version, "schema_revision": schema}
    contents = {path: file.read_bytes() for path, file in revision.files.items()}
    contents[DESCRIPTION] = json.dumps(description, sort_keys=True).encode() + b"\n"
    body = _gzip(_tar(contents))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"suite-{revision.name}.tar.gz"
    write_whole(target, body)
    return Artefact(target, hashlib.sha256(body).hexdigest(), revision.version, revision.name, schema)


def read_artefact(path: Path) -> Artefact:
    """Read what an artefact says of itself and its digest.

    Raises:
        ArtefactError: The file cannot be read or is no artefact of the Suite.
    """
    contents, sha256 = _open(path)
    return _described(path, sha256, contents)


def unpack(path: Path, folder: Path) -> Artefact:
    """Unpack an artefact into the empty `folder` and write beside the code which digest this is.

    Digest and code come from one reading of the file, so a file exchanged meanwhile cannot part them.

    Raises:
        ArtefactError: As for `read_artefact`.
    """
    contents, sha256 = _open(path)
    artefact = _described(path, sha256, contents)
    contents[INSTALLED] = json.dumps({"sha256": sha256}).encode()
    for name, body in contents.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    return artefact


def write_whole(target: Path, body: bytes) -> None:
    """Write a file so that a reader, also after a power cut, finds the old or the new one, never a half."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _tar(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, body in sorted(contents.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(body), FILE_MODE, FIXED_MTIME
            archive.addfile(entry, io.BytesIO(body))
    return buffer.getvalue()


def _gzip(body: bytes) -> bytes:
    # Stored, not compressed, and with a header Python writes itself: the same bytes whichever version of
    # Python or of its compression library builds the artefact.
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=0, fileobj=buffer, mtime=FIXED_MTIME) as file:
        file.write(body)
    return buffer.getvalue()


def _open(path: Path) -> tuple[dict[str, bytes], str]:
    try:
        if path.stat().st_size > LARGEST_ARTEFACT:
            raise ArtefactError(path=path, reason=f"it is larger than {LARGEST_ARTEFACT} bytes")
        body = path.read_bytes()
        # Unpacked whole first: a stream that was cut off shows only at its end, which tarfile does not read.
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(body)), mode="r:") as archive:
            contents = {entry.name: _content(archive, entry, path) for entry in archive}
    except OSError as unreadable:
        raise ArtefactError(path=path, reason=unreadable.strerror or unreadable) from None
    except (tarfile.TarError, EOFError, zlib.error) as damaged:
        raise ArtefactError(path=path, reason=damaged) from None
    return contents, hashlib.sha256(body).hexdigest()


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> bytes:
    parts = entry.name.split("/")
    file = archive.extractfile(entry) if entry.isreg() else None
    if file is None or "" in parts or ".." in parts:
        raise ArtefactError(path=path, reason=f"{entry.name!r} is not a plain file inside it")
    return file.read()


def _described(path: Path, sha256: str, contents: dict[str, bytes]) -> Artefact:
    try:
        built: dict[str, Any] = json.loads(contents[DESCRIPTION])
        return Artefact(
            path, sha256, str(built["version"]), str(built["revision"]), int(built["schema_revision"])
        )
    except (KeyError, ValueError, TypeError):
        raise ArtefactError(path=path, reason=f"it holds no usable {DESCRIPTION}") from None


def _schema_revision(revision: Revision) -> int:
    steps = [name.rpartition("/")[2] for name in revision.files if name.startswith("suite/migrations/m")]
    return max(int(step[1:5]) for step in steps)
