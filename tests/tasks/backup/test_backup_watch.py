"""The age of backups alarms whether or not a night ran, and nights without a backup are told once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from nakoming.records import backup_proofs, backups, cases, clock, outbox
from nakoming.records.backup_proofs import BackupProof
from nakoming.records.backups import Verified
from nakoming.records.owners import this_process
from tasks.backup.ages import ages
from tasks.backup.watch import BackupWatch, told
from tests.tasks.backup.conftest import CUSTOMERS

if TYPE_CHECKING:
    from nakoming.records.store import Records

pytestmark = pytest.mark.clause("S-2.4.7")

START = datetime(2026, 11, 24, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def set_to(records: Records, at: datetime) -> None:
    with records.write() as tx:
        clock.set_to(tx.connection, at)


def back_up(records: Records, customer: str, on: date) -> str:
    """A backup that is verified now, as the ledger knows it."""
    with records.write() as tx:
        case = cases.open_case(
            tx, "backup", customer, str(on), agreement_version=1, flow_revision=1, parameters={}
        ).case
        lease = cases.acquire(tx, case.id, this_process())
        entry = backups.begin(tx, customer, on, case_id=case.id)
        found = Verified(
            manifest_sha256=f"{entry.sequence:064}",
            key_id=f"{customer}.1",
            bytes=1,
            raw_bytes=1,
            rows_total=1,
            taken_at=tx.now,
        )
        backups.verified(tx, customer, entry.set_id, found)
        cases.close(tx, lease, "verified")
        return entry.set_id


def mails(records: Records) -> list[str]:
    with records.read() as tx:
        rows = tx.connection.exec_driver_sql("SELECT message_id FROM outbox ORDER BY queued_at").all()
        found = [outbox.by_message(tx, row.message_id) for row in rows]
        return [str(each.context["happened"]) for each in found if each is not None]


def missed(records: Records, customer: str) -> int:
    with records.read() as tx:
        query = "SELECT count(*) FROM evidence WHERE event = 'backup:night:missed' AND chain = '%s'"
        return int(tx.connection.exec_driver_sql(query % customer).scalar_one())


def test_what_is_older_than_agreed_alarms_once_a_day(records: Records) -> None:
    set_to(records, START)
    for customer in CUSTOMERS:
        back_up(records, customer, START.date())
    set_to(records, START + timedelta(hours=35, minutes=59))
    assert [each.alarms for each in told(records)] == [False] * 3
    set_to(records, START + timedelta(hours=35))
    back_up(records, "fenwick", START.date() + DAY)
    set_to(records, START + timedelta(hours=37))
    for _ in range(2):
        assert {each.customer for each in told(records) if each.alarms} == {"brouwer", "kestrel"}
    (said,) = mails(records)
    assert "2 klanten" in said
    set_to(records, START + timedelta(hours=61))
    told(records)
    assert len(mails(records)) == 2


def test_a_customer_without_any_backup_alarms_when_its_agreement_is_old_enough(records: Records) -> None:
    with records.read() as tx:
        assert not [each for each in ages(tx) if each.alarms]
        loaded = tx.now
    set_to(records, loaded + timedelta(hours=37))
    with records.read() as tx:
        assert [each.set_id for each in ages(tx) if each.alarms] == [None] * 3


def test_a_backup_that_a_restore_found_bad_does_not_count(records: Records) -> None:
    set_to(records, START)
    older = back_up(records, "brouwer", START.date())
    set_to(records, START + DAY)
    newer = back_up(records, "brouwer", START.date() + DAY)
    with records.write() as tx:
        proof = BackupProof(
            set_id=newer,
            sequence=2,
            site="far",
            kind="drill",
            at=tx.now,
            good=False,
            rpo=None,
            rto=None,
            said="bad",
        )
        backup_proofs.proven(tx, "brouwer", proof)
        found = {each.customer: each for each in ages(tx)}
    assert found["brouwer"].set_id == older
    assert DAY <= found["brouwer"].age < DAY + timedelta(minutes=1)


@pytest.mark.clause("S-2.4.2")
def test_nights_since_the_first_backup_that_have_none_are_told_once_each(records: Records) -> None:
    set_to(records, START)
    back_up(records, "brouwer", START.date())
    set_to(records, START + 4 * DAY)
    back_up(records, "brouwer", START.date() + 4 * DAY)
    for _ in range(2):
        told(records)
    assert missed(records, "brouwer") == 3
    assert missed(records, "fenwick") == 0  # never backed up: that is the agreement's first night
    set_to(records, START + 6 * DAY)
    told(records)
    assert missed(records, "brouwer") == 4


def test_the_ledger_is_looked_at_every_few_minutes_only(records: Records) -> None:
    often, seldom = BackupWatch(records, every=0.0), BackupWatch(records, every=1000.0)
    assert [often.look(), often.look()] == [True, True]
    assert [seldom.look(), seldom.look()] == [True, False]
