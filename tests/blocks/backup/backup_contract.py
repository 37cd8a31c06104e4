"""The contract of a source and its scratch: what a dump says of itself, a restore says too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from blocks.backup.errors import BackupError, FactsTooEarly, LiveNameRefused

if TYPE_CHECKING:
    from blocks.backup.protocol import Facts, Scratch, Source

NAME = "nakoming_scratch_contract"


class Peer(Protocol):
    """A real database or folder with something in it, and a place to restore it."""

    source: Source
    scratch: Scratch

    def change(self) -> None:
        """Change one value, by as little as can be."""


def dumped(source: Source, size: int = 1 << 20) -> tuple[list[bytes], Facts]:
    """A whole dump."""
    with source.dump() as dump:
        blocks = list(iter(lambda: dump.read(size), b""))
        return blocks, dump.facts()


class SourceContract:
    """Inherit it, with a fixture `peer`."""

    def test_a_restore_says_what_the_dump_said(self, peer: Peer) -> None:
        blocks, facts = dumped(peer.source)
        peer.scratch.restore(NAME, blocks, peer.source.names())
        restored = peer.scratch.facts(NAME)
        assert facts.total_rows > 0
        assert restored.rows == facts.rows
        assert restored.checksums == facts.checksums
        assert restored.engine == facts.engine == peer.source.engine == peer.scratch.engine
        assert peer.scratch.check(NAME)
        assert peer.scratch.drop(NAME)
        assert not peer.scratch.drop(NAME)

    def test_one_changed_value_changes_one_checksum_and_no_count(self, peer: Peer) -> None:
        _, before = dumped(peer.source)
        peer.change()
        _, after = dumped(peer.source)
        assert after.rows == before.rows
        changed = [table for table in before.checksums if before.checksums[table] != after.checksums[table]]
        assert len(changed) == 1

    def test_two_dumps_at_once_say_the_same(self, peer: Peer) -> None:
        with peer.source.dump() as one, peer.source.dump() as other:
            first, second = [], []
            while block := one.read(4096):
                first.append(block)
                second.append(other.read(4096))
            while block := other.read():
                second.append(block)
            assert one.facts().checksums == other.facts().checksums
        assert sum(map(len, first)) > 0
        assert sum(map(len, second)) > 0

    def test_facts_are_refused_before_the_end(self, peer: Peer) -> None:
        with peer.source.dump() as dump:
            dump.read(10)
            with pytest.raises(FactsTooEarly):
                dump.facts()

    def test_the_end_stays_the_end(self, peer: Peer) -> None:
        with peer.source.dump() as dump:
            while dump.read():
                pass
            assert dump.read() == b""
            assert dump.facts() == dump.facts()

    @pytest.mark.parametrize(
        "name",
        [
            "acme",
            "nakoming_scratch_",
            "nakoming_scratch_A",
            "nakoming_scratch_a/..",
            "",
            "nakoming_scratch_a\n",
        ],
    )
    def test_a_name_that_is_no_scratchs_is_refused(self, peer: Peer, name: str) -> None:
        for doing in (
            lambda: peer.scratch.restore(name, [b"x"], frozenset()),
            lambda: peer.scratch.drop(name),
            lambda: peer.scratch.facts(name),
            lambda: peer.scratch.check(name),
        ):
            with pytest.raises(LiveNameRefused):
                doing()

    def test_a_live_name_is_refused_even_if_it_looks_like_a_scratch(self, peer: Peer) -> None:
        with pytest.raises(LiveNameRefused, match="something live"):
            peer.scratch.restore(NAME, [b"x"], frozenset({NAME.upper()}))

    def test_a_dump_cut_short_is_never_taken(self, peer: Peer) -> None:
        """At every place: nothing of it stays in the scratch either."""
        whole = b"".join(dumped(peer.source)[0])
        for part in (0, 1, 100, len(whole) // 2, len(whole) - 600):
            with pytest.raises(BackupError):
                peer.scratch.restore(NAME, [whole[:part]], frozenset())
            assert not peer.scratch.drop(NAME)

    def test_what_an_earlier_attempt_left_goes_first(self, peer: Peer) -> None:
        blocks, facts = dumped(peer.source)
        peer.scratch.restore(NAME, blocks, frozenset())
        peer.scratch.restore(NAME, blocks, frozenset())
        assert peer.scratch.facts(NAME).rows == facts.rows
        peer.scratch.drop(NAME)

    def test_a_stream_that_breaks_off_leaves_nothing(self, peer: Peer) -> None:
        blocks, _ = dumped(peer.source, 4096)

        def broken() -> object:
            yield from blocks[:1]
            raise ConnectionResetError

        with pytest.raises((ConnectionResetError, BackupError)):
            peer.scratch.restore(NAME, broken(), frozenset())  # type: ignore[arg-type]  # a generator is iterable
        assert not peer.scratch.drop(NAME)

    def test_the_names_that_live_are_told(self, peer: Peer) -> None:
        assert peer.source.names()
        assert not any(name.startswith("nakoming_scratch_") for name in peer.source.names())
        assert peer.source.size() > 0
        assert peer.source.server()
