"""What waits in the exchange is settled once, whole, and with evidence."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from demo.erp import making, play
from nakoming.records import resource_leases, schema
from nakoming.records.engine import writing
from nakoming.records.errors import ResourceBusy
from nakoming.records.events import Event
from tasks import shared_things
from tasks.erp import checking, loading, settled, settling, write_back
from tasks.erp.bookkeeping import settlings
from tasks.erp.errors import OtherRunLoads, RepairRefused, UnknownEntry
from tests.harness.erp_pair import AT, Pair, postgres_pair, sqlite_pair
from tests.harness.installation import installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.postgres import PostgresServer

RUN = "erp_sync/brouwer/2026-11-23T09:00Z"


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as found:
        yield found


@pytest.fixture(scope="module")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A customer whose bad orders wait in quarantine, to be copied for each test."""
    folder = tmp_path_factory.mktemp("template") / "pair"
    sqlite_pair(folder).load(RUN)
    return folder


@pytest.fixture(scope="module")
def postgres_template(postgres_server: PostgresServer) -> Iterator[tuple[str, str]]:
    """The same on PostgreSQL."""
    with postgres_pair(postgres_server) as made:
        made.load(RUN)
        yield str(made.erp.database), str(made.suite.database)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """A copy, on both kinds of database in turn."""
    if request.param == "sqlite":
        yield sqlite_pair(tmp_path / "pair", request.getfixturevalue("sqlite_template"))
        return
    templates = request.getfixturevalue("postgres_template")
    with postgres_pair(request.getfixturevalue("postgres_server"), templates) as made:
        yield made


@pytest.fixture
def desk(records: Records, pair: Pair) -> settling.Desk:
    return settling.Desk(records, pair.engine, "brouwer", "sanne")


def proofs(records: Records, event: Event) -> list[dict[str, Any]]:
    """The payloads of the evidence of this kind, in order."""
    e, p = schema.evidence.c, schema.evidence_payloads.c
    query = (
        select(e.seq, p.payload_sealed)
        .join_from(schema.evidence, schema.evidence_payloads, (p.chain == e.chain) & (p.seq == e.seq))
        .where(e.chain == "brouwer", e.event == str(event))
        .order_by(e.seq)
    )
    with records.read() as tx:
        return [
            json.loads(records.keys.open("brouwer", f"evidence/brouwer/{row.seq}", row.payload_sealed)[16:])
            for row in tx.connection.execute(query)
        ]


def bad_quantity(pair: Pair) -> Any:
    """A quarantined order whose quantity is negative, and nothing else."""
    return next(row for row in pair.held_back() if json.loads(row.row)["qty"].startswith("-"))


def state_of(pair: Pair, number: int) -> str:
    return next(row.state for row in pair.held_back() if row.id == number)


def test_a_repaired_row_is_loaded_with_its_state_and_its_evidence(desk: settling.Desk, pair: Pair) -> None:
    bad = bad_quantity(pair)
    assert pair.rows("SELECT 1 FROM production_orders WHERE number = :n", n=bad.key) == []
    done = settling.replay(desk, bad.id, {"qty": "12"})
    assert done.is_loaded
    assert pair.rows("SELECT quantity FROM production_orders WHERE number = :n", n=bad.key) == [(12,)]
    assert state_of(pair, bad.id) == "replayed"
    ledger = pair.rows(
        "SELECT b.run, t.change FROM erp_sync_transactions t JOIN erp_sync_batches b ON b.id = t.batch "
        "WHERE t.key = :n",
        n=bad.key,
    )
    assert ledger == [(f"quarantine/brouwer/{bad.id}", "created")]
    (proof,) = proofs(desk.records, Event.ERP_QUARANTINE_SETTLED)
    assert (proof["act"], proof["by"], proof["number"]) == ("replayed", "sanne", bad.id)
    assert (proof["interface"], proof["repaired"]) == ("orders", ["qty"])
    assert len(proof["row_sha256"]) == 64
    said = json.dumps(proof)
    assert bad.key not in said
    assert json.loads(bad.row)["customer_name"] not in said


def test_a_row_that_is_still_bad_stays_with_its_new_reasons(desk: settling.Desk, pair: Pair) -> None:
    bad, before = bad_quantity(pair), len(pair.rows("SELECT id FROM erp_sync_batches"))
    done = settling.replay(desk, bad.id, {"qty": "12", "due_date": "32-13-2026"})
    assert not done.is_loaded
    assert "32-13-2026" in " ".join(done.reasons["nl"])
    (kept,) = [row for row in pair.held_back() if row.key == bad.key]
    assert (kept.id, kept.state) == (bad.id, "waiting")
    assert json.loads(kept.reasons) == done.reasons
    assert len(pair.rows("SELECT id FROM erp_sync_batches")) == before
    assert proofs(desk.records, Event.ERP_QUARANTINE_SETTLED) == []
    again = settling.replay(desk, bad.id, {"due_date": "2026-12-18"})  # the first repair was kept
    assert again.is_loaded
    assert pair.rows("SELECT quantity FROM production_orders WHERE number = :n", n=bad.key) == [(12,)]


def test_all_rows_of_a_case_are_tried_again_and_no_other(desk: settling.Desk, pair: Pair) -> None:
    first = bad_quantity(pair)
    settling.replay(desk, first.id, {"qty": "1"})
    waiting = [row for row in settling.waiting(pair.engine) if row.run == RUN]
    assert len(waiting) >= 3
    assert settling.replay_case(desk, "erp_sync/brouwer/another") == []
    done = settling.replay_case(desk, RUN)
    assert [each.number for each in done] == [row.id for row in waiting]
    loaded = [each.key.split("/")[0] for each in done if each.is_loaded]
    assert set(loaded) == {first.key}  # operations of the order that is there now; nothing else was repaired


def test_bad_rows_are_judged_one_by_one(
    desk: settling.Desk, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch with so great a share of bad rows would be refused whole."""
    monkeypatch.setattr(checking, "_SMALLEST_JUDGED", 2)
    orders = [row for row in pair.held_back() if row.state == "waiting"]
    with pair.engine.connect() as connection, writing(connection).begin():
        others = settling.quarantine.c.id.not_in([row.id for row in orders[:2]])
        connection.execute(settling.quarantine.delete().where(others))
    assert [each.is_loaded for each in settling.replay_case(desk, RUN)] == [False, False]


def test_what_was_superseded_is_not_loaded_over_what_is_newer(desk: settling.Desk, pair: Pair) -> None:
    bad = bad_quantity(pair)
    play.repair(pair.erp_url, bad.key)
    pair.load("erp_sync/brouwer/later")
    assert state_of(pair, bad.id) == "superseded"
    with pytest.raises(UnknownEntry, match=f"Quarantined row {bad.id} of 'brouwer' does not wait"):
        settling.replay(desk, bad.id, {"qty": "999"})
    with pytest.raises(UnknownEntry):
        settling.drop(desk, bad.id, "niet nodig")
    assert pair.rows("SELECT 1 FROM production_orders WHERE number = :n AND quantity = 999", n=bad.key) == []


def test_a_column_that_is_not_there_is_refused_before_anything_happens(
    desk: settling.Desk, pair: Pair
) -> None:
    bad = bad_quantity(pair)
    with pytest.raises(RepairRefused, match="have no column 'quantity'; allowed: order_no, "):
        settling.replay(desk, bad.id, {"quantity": "12"})
    assert state_of(pair, bad.id) == "waiting"


def test_a_load_in_between_is_waited_out(
    desk: settling.Desk, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, real, failures = bad_quantity(pair), loading.load, iter([True, True, False])

    def load(*given: Any) -> Any:
        if next(failures):
            raise OtherRunLoads(interface="orders", customer="brouwer")
        return real(*given)

    monkeypatch.setattr(loading, "load", load)
    assert settling.replay(desk, bad.id, {"qty": "12"}).is_loaded


def test_nothing_is_settled_while_something_is_installed_on_production(
    desk: settling.Desk, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback would bring the Suite's database back as it was before."""
    monkeypatch.setattr(settling, "PATIENCE_SECONDS", 0.0)
    bad = bad_quantity(pair)
    production = shared_things.environment("brouwer", shared_things.PRODUCTION)
    with desk.records.write() as tx:
        minute = timedelta(minutes=1)
        held = resource_leases.take(tx, production, "another-host/boot/1/1", lease=minute)
    for act in (
        lambda: settling.replay(desk, bad.id, {"qty": "12"}),
        lambda: settling.drop(desk, bad.id, "weg"),
        lambda: settling.replay_letter(desk, 1),
    ):
        with pytest.raises(ResourceBusy):
            act()
    assert state_of(pair, bad.id) == "waiting"
    with desk.records.write() as tx:
        resource_leases.release(tx, held)
    assert settling.replay(desk, bad.id, {"qty": "12"}).is_loaded
    with desk.records.read() as tx:
        assert resource_leases.holder(tx, production) is None


def test_a_dropped_row_is_gone_with_its_reason_and_stays_out(desk: settling.Desk, pair: Pair) -> None:
    bad = bad_quantity(pair)
    settling.drop(desk, bad.id, "Testorder van de klant.")
    (row,) = [each for each in pair.held_back() if each.id == bad.id]
    assert (row.state, row.settled_because) == ("dropped", "Testorder van de klant.")
    (proof,) = proofs(desk.records, Event.ERP_QUARANTINE_SETTLED)
    assert (proof["act"], len(proof["reason_sha256"])) == ("dropped", 64)
    assert "Testorder" not in json.dumps(proof)
    assert bad.id not in [each.id for each in settling.waiting(pair.engine)]


def dead_letter(pair: Pair) -> Any:
    """The ERP refuses hours on an order that it has closed."""
    order = making.sown(orders=200).closed[0]
    hours = {"op_no": 10, "employee": "E17", "worked_on": "2026-11-23", "minutes": 30}
    pair.tell("hours_out", order, order_no=order, **hours)
    pair.tell("hours_out", order, order_no=order, **(hours | {"minutes": 45}))
    with pair.erp.connect() as session:
        sent = write_back.write_back(session, pair.engine, "brouwer", lambda: AT)
    assert (sent.dead, sent.acknowledged) == (1, 0)
    (letter,) = settling.dead_letters(pair.engine)
    return letter


def send(pair: Pair) -> write_back.WrittenBack:
    with pair.erp.connect() as session:
        return write_back.write_back(session, pair.engine, "brouwer", lambda: AT)


def test_a_dead_letter_is_sent_again_and_may_die_again(desk: settling.Desk, pair: Pair) -> None:
    letter = dead_letter(pair)
    settling.replay_letter(desk, letter.id)
    assert settling.dead_letters(pair.engine) == []
    assert send(pair).dead == 1
    (proof,) = proofs(desk.records, Event.ERP_DEAD_LETTER_SETTLED)
    assert (proof["act"], proof["number"], proof["by"]) == ("replayed", letter.id, "sanne")
    assert letter.order_number not in json.dumps(proof)


def test_a_dropped_letter_lets_the_next_of_its_order_go(desk: settling.Desk, pair: Pair) -> None:
    letter = dead_letter(pair)
    assert send(pair).acknowledged == 0  # the second row waits behind the first
    settling.drop_letter(desk, letter.id, "Order is gesloten.")
    assert send(pair).dead == 1  # it was tried
    with pytest.raises(UnknownEntry, match=f"Dead letter {letter.id} of 'brouwer'"):
        settling.drop_letter(desk, letter.id, "Nog eens.")
    assert len(proofs(desk.records, Event.ERP_DEAD_LETTER_SETTLED)) == 1


def test_evidence_that_a_crash_left_out_follows_once(
    desk: settling.Desk, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the Suite's commit: the next command writes what is owed."""
    bad = bad_quantity(pair)
    monkeypatch.setattr(settling.Desk, "prove", lambda _: None)
    settling.replay(desk, bad.id, {"qty": "12"})
    assert proofs(desk.records, Event.ERP_QUARANTINE_SETTLED) == []
    monkeypatch.undo()
    assert settled.prove(desk.records, pair.engine, "brouwer") == 1
    assert settled.prove(desk.records, pair.engine, "brouwer") == 0
    assert len(proofs(desk.records, Event.ERP_QUARANTINE_SETTLED)) == 1


def test_evidence_that_was_written_before_the_crash_is_not_written_twice(
    desk: settling.Desk, pair: Pair
) -> None:
    settling.drop(desk, bad_quantity(pair).id, "weg")
    with pair.engine.connect() as connection, writing(connection).begin():
        connection.execute(settlings.update().values(proven_at=None))
    assert settled.prove(desk.records, pair.engine, "brouwer") == 1
    assert len(proofs(desk.records, Event.ERP_QUARANTINE_SETTLED)) == 1


def test_a_crash_before_the_commit_leaves_the_row_as_it_was(
    desk: settling.Desk, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = bad_quantity(pair)

    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(settled, "note", dies)
    with pytest.raises(KeyboardInterrupt):
        settling.replay(desk, bad.id, {"qty": "12"})
    assert state_of(pair, bad.id) == "waiting"
    assert pair.rows("SELECT 1 FROM production_orders WHERE number = :n", n=bad.key) == []
    monkeypatch.undo()
    assert settling.replay(desk, bad.id, {"qty": "12"}).is_loaded
