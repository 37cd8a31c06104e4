"""Records that another process keeps locked: one clear error after the time-out, nothing half written."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from nakoming.records import migrate, steps
from nakoming.records.engine import LOCK_WAIT_SECONDS
from nakoming.records.errors import DatabaseLocked, StorageFull
from nakoming.records.steps import Begun, Done, Doubt
from nakoming.records.store import Records
from tests.harness.held_database import WAIT_SECONDS, held, impatient

if TYPE_CHECKING:
    from tests.nakoming.records.conftest import World

# On PostgreSQL an upgrade that has nothing to do waits for no lock, and no database has a limit of pages.
ON_SQLITE = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)


@pytest.fixture
def records(records: Records) -> Records:
    """The same records with a short wait for locks."""
    return Records(impatient(records.url), keys=records.keys.folder, documents=records.documents_folder)


def test_a_writer_gives_up_after_the_time_out_with_one_sentence_and_writes_nothing(world: World) -> None:
    before = world.events()
    with held(world.records.url):
        began = time.monotonic()
        with pytest.raises(DatabaseLocked) as refused:
            world.case()
        took = time.monotonic() - began
        assert world.events() == before  # who only reads goes on
    assert WAIT_SECONDS * 0.9 <= took < WAIT_SECONDS + 5
    said = str(refused.value)
    assert said.startswith("The records database stayed locked (")
    assert "\n" not in said
    assert (refused.value.code, refused.value.exit_status) == ("NK2020", 1)
    assert world.case().customer == "acme"
    assert world.events() == [*before, "case:run:opened"]


def test_a_step_whose_outcome_could_not_be_written_is_settled_when_it_is_entered_again(world: World) -> None:
    lease = world.held()

    def begin() -> object:
        with world.records.write() as tx:
            return steps.begin(tx, lease, "build/1", "d", doubt=Doubt.REPEAT, timeout=timedelta(minutes=1))

    with held(world.records.url), pytest.raises(DatabaseLocked):
        begin()
    with world.records.read() as tx:
        assert steps.listed(tx, lease.case_id) == []  # no intent: the effect was not begun
    begun = begin()
    assert isinstance(begun, Begun)
    assert begun.attempt == 1

    def finish() -> None:
        with world.records.write() as tx:
            steps.finish(tx, lease, "build/1", begun, {"revision": "a1"}, output_digest="o")

    with held(world.records.url), pytest.raises(DatabaseLocked):
        finish()
    assert world.events() == ["case:run:opened"]
    finish()
    assert begin() == Done({"revision": "a1"})
    assert world.events() == ["case:run:opened", "case:step:done"]


@ON_SQLITE
def test_an_upgrade_of_locked_records_says_so(world: World) -> None:
    with held(world.records.url), pytest.raises(DatabaseLocked):
        migrate.upgrade(world.records)


def test_the_wait_for_a_lock_is_the_same_on_both_databases_unless_the_address_says_otherwise(
    world: World, migrated_url: str
) -> None:
    patient = Records(migrated_url, keys=world.records.keys.folder, documents=world.records.documents_folder)
    for records, seconds in ((patient, LOCK_WAIT_SECONDS), (world.records, WAIT_SECONDS)):
        with records.read() as tx:
            if tx.connection.dialect.name == "sqlite":
                wait = tx.connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() / 1000
            else:
                milliseconds = "SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout'"
                wait = tx.connection.execute(text(milliseconds)).scalar_one() / 1000
        assert wait == seconds


def overfill(records: Records) -> None:
    with records.write() as tx:
        pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        tx.connection.exec_driver_sql("INSERT INTO ballast VALUES ('kept?')")
        tx.connection.exec_driver_sql("INSERT INTO ballast VALUES (zeroblob(100000))")


@ON_SQLITE
def test_a_full_database_is_said_so_and_takes_no_half_transaction(world: World) -> None:
    with world.records.write() as tx:
        tx.connection.exec_driver_sql("CREATE TABLE ballast (content)")
    before = world.events()
    with pytest.raises(StorageFull, match="'the records' cannot be stored") as full:
        overfill(world.records)
    assert "\n" not in str(full.value)
    with world.records.read() as tx:
        assert tx.connection.exec_driver_sql("SELECT count(*) FROM ballast").scalar_one() == 0
    assert world.events() == before
    assert world.case().customer == "acme"
