"""Keys of backups: made, rotated, lost, destroyed, copied for escrow, and the one that signs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pyrage
import pytest

from nakoming.records.backup_keys import (
    BackupCustomerInvalid,
    BackupKeyDamaged,
    BackupKeyDestroyed,
    BackupKeyLost,
    BackupKeys,
    EscrowRecipientInvalid,
)
from nakoming.records.keys import Keyring

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def keys(tmp_path: Path) -> BackupKeys:
    return BackupKeys(tmp_path / "keys")


def test_what_is_encrypted_for_a_customer_is_opened_with_its_key(keys: BackupKeys) -> None:
    given = keys.recipient("acme")
    sealed = pyrage.encrypt(b"x", [pyrage.x25519.Recipient.from_str(given.public)])
    assert pyrage.decrypt(sealed, [keys.identity(given.key_id)]) == b"x"
    assert given == keys.recipient("acme") == BackupKeys(keys.folder).recipient("acme")
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [keys.identity(keys.recipient("acme-two").key_id)])


def test_only_the_owner_may_read_it(keys: BackupKeys) -> None:
    keys.recipient("acme")
    keys.sign(b"x")
    assert keys.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in keys.folder.iterdir()} == {0o600}
    assert not [path for path in keys.folder.iterdir() if path.name.startswith(".")]


def test_after_a_rotation_the_old_backups_open_and_the_new_ones_take_the_new_key(keys: BackupKeys) -> None:
    old = keys.recipient("acme")
    new = keys.rotate("acme")
    assert (old.key_id, new.key_id) == ("acme.1", "acme.2")
    assert keys.recipient("acme") == new != old
    assert str(keys.identity("acme.1").to_public()) == old.public


@pytest.mark.clause("S-4.2.19")
def test_a_destroyed_key_is_told_from_a_lost_one(keys: BackupKeys) -> None:
    keys.recipient("acme")
    keys.rotate("acme")
    text = {path.read_text() for path in keys.folder.glob("acme.*")}
    keys.recipient("other")
    assert keys.destroy("acme") == ["acme.1", "acme.2"]
    for key_id in ("acme.1", "acme.2"):
        with pytest.raises(BackupKeyDestroyed):
            keys.identity(key_id)
    with pytest.raises(BackupKeyLost):
        keys.identity("acme.3")
    assert not [path for path in keys.folder.iterdir() if path.read_text() in text]
    assert keys.destroy("acme") == []
    assert keys.recipient("acme").key_id == "acme.3"
    keys.identity("other.1")


@pytest.mark.clause("S-4.2.19")
def test_an_interrupted_destruction_is_ended_by_the_next(keys: BackupKeys) -> None:
    keys.recipient("acme")
    live = keys.folder / "acme.1.age-key"
    dead = live.with_name("acme.1.age-key-destroyed")
    live.rename(dead)  # killed before the overwriting
    assert dead.stat().st_size
    keys.destroy("acme")
    assert dead.stat().st_size == 0


def test_a_lost_key_is_said(keys: BackupKeys) -> None:
    keys.recipient("acme")
    (keys.folder / "acme.1.age-key").unlink()
    with pytest.raises(BackupKeyLost, match="escrow"):
        keys.identity("acme.1")


@pytest.mark.parametrize("content", [b"", b"AGE-SECRET-KEY-1", b"\xff\xfe"])
def test_a_damaged_key_is_said(keys: BackupKeys, content: bytes) -> None:
    keys.recipient("acme")
    (keys.folder / "acme.1.age-key").write_bytes(content)
    with pytest.raises(BackupKeyDamaged):
        keys.identity("acme.1")


@pytest.mark.parametrize("given", ["../acme.1", "acme", "acme.0", "acme.1.2", "Acme.1", "acme.1\n", ""])
def test_a_name_of_a_key_is_checked(keys: BackupKeys, given: str) -> None:
    with pytest.raises(BackupCustomerInvalid):
        keys.identity(given)


@pytest.mark.parametrize("given", ["../acme", "Acme", "a.b", "*", "acme\n", ""])
def test_a_customer_is_checked(keys: BackupKeys, given: str) -> None:
    with pytest.raises(BackupCustomerInvalid):
        keys.recipient(given)


def test_of_two_makers_the_first_wins(keys: BackupKeys) -> None:
    given = []
    threads = [threading.Thread(target=lambda: given.append(keys.recipient("acme"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.public for each in given if each.key_id == "acme.1"}) == 1


def test_the_escrow_copy_gives_the_key_back(keys: BackupKeys) -> None:
    holder = pyrage.x25519.Identity.generate()
    keys.recipient("acme")
    copy = keys.escrow("acme.1", f"{holder.to_public()}\n")
    text = pyrage.decrypt(copy, [holder])
    assert text == (keys.folder / "acme.1.age-key").read_bytes()
    assert text.strip() not in copy
    with pytest.raises(EscrowRecipientInvalid):
        keys.escrow("acme.1", "age1nonsense")


def test_a_signature_fits_its_content_and_signer_alone(keys: BackupKeys, tmp_path: Path) -> None:
    signer, signature = keys.sign(b"content")
    assert keys.signed(signer, signature, b"content") is True
    assert keys.signed(signer, signature, b"contend") is False
    assert keys.signed(signer, signature[:-1] + bytes([signature[-1] ^ 1]), b"content") is False
    assert keys.signed("0" * 16, signature, b"content") is None
    other = BackupKeys(tmp_path / "other")
    other.sign(b"")
    assert other.signed(signer, signature, b"content") is None
    assert other.trust(keys.signers()[signer]) == signer
    assert other.signed(signer, signature, b"content") is True


def test_a_public_key_under_anothers_name_is_not_trusted(keys: BackupKeys, tmp_path: Path) -> None:
    signer, _ = keys.sign(b"x")
    other = BackupKeys(tmp_path / "other")
    strange, signature = other.sign(b"x")
    (keys.folder / f"{signer}.ed25519-public").write_bytes(other.signers()[strange])
    assert keys.signers() == {}
    assert keys.signed(signer, signature, b"x") is None


def test_the_keys_of_the_records_do_not_meet_those_of_backups(keys: BackupKeys) -> None:
    ring = Keyring(keys.folder)
    keys.rotate("acme")
    keys.rotate("acme")
    ring.seal("acme", "note", b"x")
    assert ring.generations("acme") == [1]
    assert keys.generations("acme") == [1, 2]
    ring.destroy("acme")
    assert keys.generations("acme") == [1, 2]
    keys.destroy("acme")
    assert ring.knows("acme")


def test_a_lost_key_is_not_made_anew_under_its_name(keys: BackupKeys) -> None:
    first = keys.recipient("acme")
    assert keys.recipient("acme", {first.key_id}) == first
    (keys.folder / f"{first.key_id}.age-key").unlink()
    after = keys.recipient("acme", {first.key_id})
    assert after.key_id == "acme.2"
    assert keys.recipient("acme", {first.key_id, after.key_id}) == after
    assert keys.rotate("acme", {"acme.7"}).key_id == "acme.8"
    with pytest.raises(BackupKeyLost):
        keys.identity(first.key_id)


def test_what_is_sealed_after_the_newest_key_was_lost_is_sealed_for_a_new_one(keys: BackupKeys) -> None:
    used = {keys.recipient("acme").key_id, keys.rotate("acme").key_id}
    (keys.folder / "acme.2.age-key").unlink()
    assert keys.recipient("acme", used).key_id == "acme.3"
