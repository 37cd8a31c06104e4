"""What a manifest proves, and each way in which a backup at a site is not the one of the ledger."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from blocks.backup.errors import BackupError
from nakoming.records.backup_keys import BackupKeys
from nakoming.records.types import canonical
from tasks.backup.manifest import FILE, Manifest, sha256_of, signed
from tasks.backup.stream_errors import (
    ManifestChanged,
    ManifestInvalid,
    ManifestMissing,
    ManifestNotOfLedger,
    ManifestOfAnother,
    ManifestSignerUnknown,
    PartChanged,
    PartLong,
    PartShort,
    SetIncomplete,
    SetStrange,
)
from tasks.backup.verifying import verified
from tests.tasks.backup.kept_sets import Kept, keep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return keep(tmp_path)


def refusal(kept: Kept, *, parts: bool = True) -> type[BaseException]:
    """The error of looking at the damaged first site; the second stays good."""
    assert verified(kept.sites[1], kept.entry, kept.keys).manifest == kept.manifest
    with pytest.raises(BackupError) as refused:
        verified(kept.sites[0], kept.entry, kept.keys, parts=parts)
    assert "first" not in str(refused.value)
    return refused.type


def test_a_good_backup_is_found_good(kept: Kept) -> None:
    found = verified(kept.sites[0], kept.entry, kept.keys)
    assert found.manifest == kept.manifest
    assert found.manifest_sha256 == kept.entry.manifest_sha256
    assert found.read_bytes == kept.part.stat().st_size
    assert found.manifest.parts[0].facts.as_facts().rows == {"main.a": 7}


def test_one_content_has_one_file(kept: Kept) -> None:
    assert signed(kept.manifest, kept.keys) == kept.manifest_path.read_bytes()


def edit(change: Callable[[dict[str, object]], object]) -> Callable[[bytes], bytes]:
    def edited(file: bytes) -> bytes:
        content = json.loads(file)
        change(content)
        return canonical(content)

    return edited


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (edit(lambda it: it["manifest"].update(sequence=2)), ManifestChanged),  # type: ignore[attr-defined]
        (edit(lambda it: it["manifest"].update(note="x")), ManifestChanged),  # type: ignore[attr-defined]
        (edit(lambda it: it["manifest"].pop("previous")), ManifestChanged),  # type: ignore[attr-defined]
        (edit(lambda it: it.update(signature="A" * 86 + "==")), ManifestChanged),
        (edit(lambda it: it.update(signature="no base64")), ManifestInvalid),
        (edit(lambda it: it.update(signed_by="0123456789abcdef")), ManifestSignerUnknown),
        (edit(lambda it: it.update(more=1)), ManifestInvalid),
        (edit(lambda it: it.pop("signed_by")), ManifestInvalid),
        (lambda file: file + b"\n", ManifestInvalid),
        (lambda file: file.replace(b":", b": ", 1), ManifestInvalid),
        (lambda file: b'{"signature":"",' + file[1:], ManifestInvalid),
        (lambda _: b"", ManifestInvalid),
        (lambda _: b"[" * 100_000, ManifestInvalid),
        (lambda _: b" " * (16 * 1024 * 1024 + 1), ManifestInvalid),
        (lambda _: b"null", ManifestInvalid),
    ],
)
def test_an_edited_manifest_is_found(
    kept: Kept, damage: Callable[[bytes], bytes], error: type[BackupError]
) -> None:
    kept.manifest_path.write_bytes(damage(kept.manifest_path.read_bytes()))
    assert refusal(kept) is error


def test_every_flipped_bit_of_a_manifest_is_found(kept: Kept) -> None:
    whole = kept.manifest_path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        kept.manifest_path.write_bytes(damaged)
        with pytest.raises(BackupError):
            verified(kept.sites[0], kept.entry, kept.keys)


def test_a_manifest_that_is_missing(kept: Kept) -> None:
    kept.manifest_path.unlink()
    assert refusal(kept) is ManifestMissing


def test_a_manifest_without_its_file(kept: Kept) -> None:
    kept.part.unlink()
    assert refusal(kept, parts=False) is SetIncomplete


def test_a_file_that_is_not_of_the_backup(kept: Kept) -> None:
    (kept.part.parent / "documents.age").write_bytes(b"x")
    assert refusal(kept, parts=False) is SetStrange


def test_what_is_unfinished_beside_it_does_no_harm(kept: Kept) -> None:
    (kept.part.parent / "documents.age.part").write_bytes(b"x")
    assert verified(kept.sites[0], kept.entry, kept.keys).read_bytes


@pytest.mark.parametrize(("size", "error"), [(-1, PartShort), (1, PartLong)])
def test_a_size_is_compared_without_reading(kept: Kept, size: int, error: type[BackupError]) -> None:
    whole = kept.part.read_bytes()
    kept.part.write_bytes(whole + b"x" if size > 0 else whole[:size])
    assert refusal(kept, parts=False) is error


def test_a_flipped_bit_is_found_when_parts_are_read(kept: Kept) -> None:
    whole = bytearray(kept.part.read_bytes())
    whole[-1] ^= 1
    kept.part.write_bytes(whole)
    assert refusal(kept) is PartChanged


def test_an_older_backup_in_its_place(tmp_path: Path, kept: Kept) -> None:
    newer = keep(tmp_path, sequence=2)
    shutil.rmtree(newer.part.parent)
    shutil.copytree(kept.part.parent, newer.part.parent)
    assert refusal(newer) is ManifestOfAnother


def test_an_older_backup_of_the_same_name(kept: Kept) -> None:
    # A run that was repeated wrote the set twice; the first writing came back from somewhere.
    again = kept.manifest.model_copy(update={"tools": {"nakoming": "2"}})
    file = signed(again, kept.keys)
    kept.sites[1].store(f"{again.folder}/{FILE}", [file])
    newer = replace(kept, entry=replace(kept.entry, manifest_sha256=sha256_of(file)), manifest=again)
    assert refusal(newer) is ManifestNotOfLedger


def test_two_customers_backups_swapped(tmp_path: Path, kept: Kept) -> None:
    other = keep(tmp_path, customer="other")
    swapped = tmp_path / "swapped"
    kept.part.parent.rename(swapped)
    other.part.parent.rename(kept.part.parent)
    swapped.rename(other.part.parent)
    assert refusal(kept) is ManifestOfAnother
    assert refusal(other) is ManifestOfAnother


def test_only_the_parts_of_two_customers_swapped(tmp_path: Path, kept: Kept) -> None:
    other = keep(tmp_path, customer="other")
    kept.part.write_bytes(other.part.read_bytes())
    assert refusal(kept) in {PartChanged, PartShort, PartLong}


def test_a_stranger_signed_it(tmp_path: Path, kept: Kept) -> None:
    stranger = BackupKeys(tmp_path / "stranger")
    kept.manifest_path.write_bytes(signed(kept.manifest, stranger))
    assert refusal(kept) is ManifestSignerUnknown


def test_a_manifest_of_another_form_is_none(kept: Kept) -> None:
    class Later(Manifest):
        more: str

    later = Later(**kept.manifest.model_dump(), more="x")
    kept.manifest_path.write_bytes(signed(later, kept.keys))
    assert refusal(kept) is ManifestInvalid
