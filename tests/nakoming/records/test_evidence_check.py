"""Whatever is changed, removed, swapped, put in between or cut off is found, and nothing else is."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Integer, Row, Table, delete, insert, select, update
from sqlalchemy import types as column_types

from nakoming.records import evidence_check, heads, schema
from nakoming.records.engine import writing
from nakoming.records.events import Event
from nakoming.records.evidence import chained_form, leaf_of, sealed_as
from nakoming.records.evidence_check import FindingKind, leaf_of_row, verify
from nakoming.records.types import Instant, canonical, from_micros, to_micros

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from nakoming.records.heads import Head
    from tests.nakoming.records.conftest import World

_E, _P, _C, _H = schema.evidence, schema.evidence_payloads, schema.chains, schema.heads_sent


@pytest.fixture
def proven(world: World) -> World:
    """Two chains of eight and three records, and a head of each that left the house."""
    for number in range(1, 9):
        with world.records.write() as tx:
            clause = "S-2.3.2" if number % 2 else None
            tx.prove(Event.STEP_DONE, "acme", {"n": number}, case_id="c" * 32, about="step:1", clause=clause)
            if number < 4:
                tx.prove(Event.CASE_OPENED, "vendor", {"n": number})
    for chain in ("acme", "vendor"):
        with world.records.write() as tx:
            heads.note_head_sent(tx, chain)
    return world


def _texts(world: World, *known: Head, chain: str | None = None) -> list[str]:
    return [finding.text for finding in verify(world.records, chain, heads=known) if finding.is_damage]


def _damage(world: World, *statements: Any) -> None:
    with world.records.engine.connect() as connection, writing(connection).begin():
        for statement in statements:
            connection.execute(statement)


def test_undamaged_evidence_has_no_finding(proven: World) -> None:
    assert verify(proven.records) == []
    with proven.records.snapshot() as tx:
        assert verify(tx, "acme") == []
    with proven.records.read() as tx:
        known = list(heads.in_table(tx))
    assert verify(proven.records, heads=[heads.parse(f"{h.chain}:{h.seq}:{h.leaf}") for h in known]) == []


@given(
    texts=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), min_size=6, max_size=6),
    seq=st.integers(1, 2**53 - 1),
    micros=st.integers(-(10**15), 10**16),
)
def test_the_quick_way_gives_the_bytes_of_the_general_one(
    texts: list[str | None], seq: int, micros: int
) -> None:
    case_id, about, clause, *rest = texts
    chain, event, previous = (text or "" for text in rest)
    at = from_micros(micros)
    row = (chain, seq, event, case_id, about, clause, at, "0" * 64, previous, "leaf")
    form = chained_form(
        chain=chain,
        seq=seq,
        event=event,
        case_id=case_id,
        about=about,
        clause=clause,
        at=at,
        payload_digest="0" * 64,
        previous=previous,
    )
    assert leaf_of_row(row) == leaf_of(form)  # type: ignore[arg-type]


def _flips(value: Any, kind: column_types.TypeEngine[Any]) -> Iterator[Any]:
    """The value with each of its bytes changed in turn."""
    if value is None:
        yield "x"
    elif isinstance(kind, Instant):
        yield from (from_micros(to_micros(value) ^ (1 << bit)) for bit in (0, 8, 16, 24, 32, 40))
    elif isinstance(kind, Integer):
        yield from (value ^ (1 << bit) for bit in (6, 8, 16, 24, 32))  # no number that another row has
    else:
        letters = [bytes([each ^ 1]) if isinstance(value, bytes) else chr(ord(each) ^ 1) for each in value]
        for position, letter in enumerate(letters):
            yield value[:position] + letter + value[position + 1 :]


def _key(table: Table, row: Row[Any]) -> Any:
    return (table.c.chain == row.chain) & (
        table.c.seq == row.seq if "seq" in table.primary_key.columns else True
    )


def _damaged_rows(connection: Connection, table: Table, rows: list[Row[Any]]) -> Iterator[str]:
    """Each column of each row, flipped byte by byte, one at a time; put back by the rollback."""
    for row in rows:
        for column in table.columns:
            for flipped in _flips(getattr(row, column.name), column.type):
                savepoint = connection.begin_nested()
                connection.execute(update(table).where(_key(table, row)).values({column.name: flipped}))
                yield f"{table.name}.{column.name} of {row.chain}:{row.seq} as {flipped!r}"
                savepoint.rollback()


@pytest.mark.parametrize("table", [_E, _P, _C, _H], ids=lambda table: table.name)
def test_every_flipped_byte_of_every_column_is_found(proven: World, table: Table) -> None:
    missed, tried = [], 0
    query = select(table).order_by(table.c.chain, table.c.seq)
    with proven.records.write() as tx:
        rows = [*tx.connection.execute(query)]
        # A sample: the first, one in the middle, the last of the longer chain, the other chain's last.
        for what in _damaged_rows(tx.connection, table, [rows[each] for each in {0, len(rows) // 2, -1}]):
            tried += 1
            if not any(finding.is_damage for finding in verify(tx)):
                missed.append(what)
    assert missed == []
    assert tried > 20
    assert verify(proven.records) == []


def test_a_removed_record_is_named(proven: World) -> None:
    for table in (_E, _P):
        _damage(proven, delete(table).where(table.c.chain == "acme", table.c.seq.in_((3, 4))))
    assert _texts(proven) == ["Records 3 to 4 of chain acme are missing."]


def test_swapped_records_are_named(proven: World) -> None:
    with proven.records.engine.connect() as connection, writing(connection).begin():
        for old, new in ((3, 99), (4, 3), (99, 4)):
            for table in (_E, _P):
                swapped = update(table).where(table.c.chain == "acme", table.c.seq == old)
                connection.execute(swapped.values(seq=new))
    texts = _texts(proven)
    assert any("Record 3 of chain acme was changed" in text for text in texts)
    assert any("Record 4 of chain acme does not follow" in text for text in texts)
    assert any(
        "Record 3 of chain acme: its payload was changed or belongs elsewhere." in text for text in texts
    )


def test_a_chain_that_was_cut_off_is_told_by_the_table_the_file_and_the_reader(proven: World) -> None:
    with proven.records.read() as tx:
        [known] = heads.in_table(tx, "acme")
    with proven.records.read() as tx:
        sixth = tx.connection.execute(select(_E).where(_E.c.chain == "acme", _E.c.seq == 6)).one()
    cut = [delete(table).where(table.c.chain == "acme", table.c.seq > 6) for table in (_E, _P)]
    _damage(proven, *cut, update(_C).where(_C.c.chain == "acme").values(seq=6, head=sixth.leaf))
    sentence = "Chain acme ends at 6; its end was cut off: {} knows record 8 ({:.12}…)."
    in_table = sentence.format("the table of heads that were sent", known.leaf)
    in_file = sentence.format("line 1 of heads.jsonl", known.leaf)
    assert _texts(proven) == [in_table, in_file]
    _damage(proven, delete(_H).where(_H.c.chain == "acme"))
    assert in_file in _texts(proven)
    proven.records.heads_file.unlink()
    assert _texts(proven) == []
    reader = heads.parse(f"acme:8:{known.leaf}")
    assert _texts(proven, reader) == [sentence.format("a reader", known.leaf)]


def test_a_chain_that_was_forged_anew_differs_from_the_heads_that_left(proven: World) -> None:
    """Whoever rewrites all of a chain, with the keys in hand, still cannot give it the heads others hold."""
    with proven.records.engine.connect() as connection, writing(connection).begin():
        rows = connection.execute(select(_E).where(_E.c.chain == "acme").order_by(_E.c.seq)).all()
        previous = rows[3].leaf
        for row in rows[4:]:
            values = row._asdict() | {"previous": previous, "clause": "S-9.9.9"}
            del values["leaf"]
            previous = leaf_of(chained_form(**values))
            changed = update(_E).where(_E.c.chain == "acme", _E.c.seq == row.seq)
            connection.execute(changed.values(values | {"leaf": previous}))
        connection.execute(update(_C).where(_C.c.chain == "acme").values(head=previous))
    assert [text.partition(":")[0] for text in _texts(proven)] == [
        "Record 8 of chain acme is another one"
    ] * 2


def test_an_inserted_forged_record_is_found(proven: World) -> None:
    with proven.records.engine.connect() as connection, writing(connection).begin():
        last = connection.execute(select(_E).where(_E.c.chain == "acme", _E.c.seq == 8)).one()._asdict()
        forged = last | {"seq": 9, "previous": last["leaf"], "clause": "S-1"}
        del forged["leaf"]
        forged["leaf"] = leaf_of(chained_form(**forged))
        connection.execute(insert(_E).values(forged))
    [text] = _texts(proven)
    assert text.startswith("Chain acme: its head row says 8 (")


@pytest.mark.parametrize("what", ["payload", "salt", "another record's", "no record's"])
def test_a_replaced_payload_is_found(proven: World, what: str) -> None:
    keys = proven.records.keys
    place = sealed_as("acme", 5)
    with proven.records.read() as tx:
        rows = {row.seq: row for row in tx.connection.execute(select(_P).where(_P.c.chain == "acme"))}
    salted = keys.open("acme", place, rows[5].payload_sealed)
    replaced = {
        "payload": keys.seal("acme", place, salted[:16] + canonical({"n": 6})),
        "salt": keys.seal("acme", place, bytes(16) + salted[16:]),
        "another record's": rows[6].payload_sealed,
    }
    if what == "no record's":
        _damage(proven, update(_P).where(_P.c.chain == "acme", _P.c.seq == 5).values(seq=55))
        assert _texts(proven) == ["Record 55 of chain acme is no record, but has a payload."]
        return
    changed = update(_P).where(_P.c.chain == "acme", _P.c.seq == 5)
    _damage(proven, changed.values(payload_sealed=replaced[what]))
    [text] = _texts(proven)
    assert text.startswith("Record 5 of chain acme: its payload ")


def test_erased_payloads_are_told_together_and_are_no_damage(proven: World) -> None:
    _damage(proven, delete(_P).where(_P.c.chain == "acme", _P.c.seq.in_((2, 3, 4, 7))))
    found = verify(proven.records)
    assert [finding.kind for finding in found] == [FindingKind.ERASED] * 2
    assert [finding.text for finding in found] == [
        "Chain acme: the payloads of records 2 to 4 are erased.",
        "Chain acme: the payloads of record 7 are erased.",
    ]


def test_a_destroyed_key_is_told_and_is_no_damage(proven: World) -> None:
    proven.records.keys.destroy("acme")
    with proven.records.write() as tx:  # the chain goes on, under a new key
        tx.prove(Event.CASE_CLOSED, "acme", {"outcome": "left"})
    found = verify(proven.records)
    assert [finding.is_damage for finding in found] == [False]
    assert found[0].text == (
        "Chain acme: the payloads of records 1 to 8 are unreadable since their key was destroyed."
    )


def test_a_changed_line_of_the_file_of_heads_is_found(proven: World) -> None:
    file = proven.records.heads_file
    whole = file.read_bytes()
    missed = []
    for position in range(len(whole) - 1):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        if not _texts(proven):
            missed.append(position)
    assert missed == []


def test_a_torn_last_line_is_no_damage_and_the_next_head_starts_a_line(proven: World) -> None:
    file = proven.records.heads_file
    file.write_bytes(file.read_bytes() + b'{"chain":"ac')
    assert verify(proven.records) == []
    with proven.records.write() as tx:
        tx.prove(Event.CASE_CLOSED, "acme", {})
    with proven.records.write() as tx:
        sent = heads.note_head_sent(tx, "acme")
    assert sent is not None
    assert sent.seq == 9
    assert [finding.text for finding in verify(proven.records)] == [
        "Line 3 of heads.jsonl cannot be read: it was changed."
    ]
    assert [head.seq for head in heads.in_file(file)[0]] == [8, 3, 9]


def test_a_head_stands_in_the_file_only_once_its_transaction_has_committed(proven: World) -> None:
    with pytest.raises(ZeroDivisionError), proven.records.write() as tx:
        _ = heads.note_head_sent(tx, "acme", seq=7, leaf="0" * 64) and 1 / 0
    assert [head.seq for head in heads.in_file(proven.records.heads_file)[0]] == [8, 3]
    proven.records.heads_file.unlink()
    assert heads.write_missing(proven.records) == 2
    assert heads.write_missing(proven.records) == 0
    assert verify(proven.records) == []


def test_writers_of_heads_wait_for_each_other(proven: World) -> None:
    program = """
        from nakoming.records import heads
        from nakoming.records.types import from_micros
        for number in range(50):
            head = heads.Head(chain="acme", seq=number + 1, leaf="0" * 64, sent_at=from_micros(0))
            heads.append(records.heads_file, [head])
    """
    proven.records.heads_file.unlink()
    for writer in [proven.python(program), proven.python(program)]:
        writer.communicate()
    found, bad = heads.in_file(proven.records.heads_file)
    assert (len(found), bad) == (100, [])
    with proven.records.heads_file.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody holds it any more


@pytest.mark.parametrize("text", ["", "acme:8", "acme:x:" + "0" * 64, "Acme:8:" + "0" * 64, "acme:8:abc"])
def test_what_is_no_head_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(heads.HeadUnreadable) as refused:
        heads.parse(text)
    assert str(refused.value) == (
        f"'{text}' is no head; allowed: <customer or vendor>:<number>:<64 hexadecimal digits>."
    )


def test_only_one_chain_is_looked_at_when_one_is_named(proven: World) -> None:
    _damage(proven, update(_E).where(_E.c.chain == "vendor", _E.c.seq == 2).values(clause="S-1"))
    assert _texts(proven, chain="acme") == []
    assert len(_texts(proven, chain="vendor")) == 1
    assert evidence_check.verify(proven.records, "nobody") == []
