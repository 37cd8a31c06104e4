"""Keys are made once, read by their owner only, and destroyed for good."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nakoming.records.errors import KeyDestroyed, SealBroken
from nakoming.records.keys import Keyring

_ROOT = Path(__file__).parents[3]
_SEALER = """
import sys
from pathlib import Path
from nakoming.records.keys import Keyring
sys.stdin.readline()
print(Keyring(Path(sys.argv[1])).seal("acme", "place", b"content").hex())
"""


def test_two_processes_that_make_a_key_at_once_use_the_same_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SEALER, str(tmp_path / "keys")]
    racers = [
        subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    sealed = [racer.communicate()[0] for racer in racers]
    keys = Keyring(tmp_path / "keys")
    assert [keys.open("acme", "place", bytes.fromhex(each)) for each in sealed] == [b"content"] * 2
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["acme.1.key"]


def test_only_the_owner_may_read_keys(tmp_path: Path) -> None:
    Keyring(tmp_path / "keys").seal("acme", "place", b"content")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys" / "acme.1.key").stat().st_mode) == 0o600


def test_what_is_sealed_fits_only_its_own_place_and_customer(tmp_path: Path) -> None:
    keys = Keyring(tmp_path)
    sealed = keys.seal("acme", "step/1", b"content")
    keys.seal("other", "step/1", b"content")
    for customer, place in (("acme", "step/2"), ("other", "step/1")):
        with pytest.raises(SealBroken):
            keys.open(customer, place, sealed)


def test_every_flipped_byte_of_what_is_sealed_is_found(tmp_path: Path) -> None:
    keys = Keyring(tmp_path)
    sealed = keys.seal("acme", "step/1", b"content")
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        with pytest.raises(SealBroken):
            keys.open("acme", "step/1", bytes(damaged))
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            keys.open("acme", "step/1", sealed[:length])


def test_a_destroyed_key_is_missing_for_every_process_that_had_read_it(tmp_path: Path) -> None:
    keys, other = Keyring(tmp_path), Keyring(tmp_path)
    sealed = keys.seal("acme", "step/1", b"content")
    assert other.open("acme", "step/1", sealed) == b"content"
    assert keys.destroy("acme") == ["acme.1"]
    for each in (keys, other):
        with pytest.raises(KeyDestroyed, match=r"The key acme\.1 was destroyed"):
            each.open("acme", "step/1", sealed)
    assert (tmp_path / "acme.1.destroyed").read_bytes() == b""


def test_after_a_destruction_a_new_generation_seals_and_the_old_stays_missing(tmp_path: Path) -> None:
    keys, other = Keyring(tmp_path), Keyring(tmp_path)
    old = keys.seal("acme", "step/1", b"old")
    other.seal("acme", "step/1", b"old")
    keys.destroy("acme")
    for each in (keys, other):
        assert each.open("acme", "step/1", each.seal("acme", "step/1", b"new")) == b"new"
        with pytest.raises(KeyDestroyed):
            each.open("acme", "step/1", old)
    assert keys.generations("acme") == [2]


def test_an_interrupted_destruction_is_finished_by_the_next(tmp_path: Path) -> None:
    keys = Keyring(tmp_path)
    keys.seal("acme", "step/1", b"content")
    (tmp_path / "acme.1.key").rename(tmp_path / "acme.1.destroyed")
    keys.destroy("acme")
    assert (tmp_path / "acme.1.destroyed").read_bytes() == b""


@pytest.mark.parametrize("name", ["", "../acme", "Acme", "a.b", "a/b", "portal-links"])
def test_names_that_are_no_customers_have_no_key(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no customer name"):
        Keyring(tmp_path / "keys").seal(name, "step/1", b"content")
    assert not (tmp_path / "keys").exists()


def test_links_are_signed_alike_by_all_and_differently_per_generation(tmp_path: Path) -> None:
    first, second = Keyring(tmp_path), Keyring(tmp_path)
    assert first.sign_link("a" * 32, 1) == second.sign_link("a" * 32, 1)
    assert (
        len({first.sign_link("a" * 32, 1), first.sign_link("a" * 32, 2), first.sign_link("b" * 32, 1)}) == 3
    )
    assert Keyring(tmp_path / "elsewhere").sign_link("a" * 32, 1) != first.sign_link("a" * 32, 1)
