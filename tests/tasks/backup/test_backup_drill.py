"""Nights of restores from real folders into real databases: what is good, what is not, what is left over."""

from __future__ import annotations

import re
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from blocks.backup.scratch_folder import FolderScratch
from blocks.backup.scratch_sqlite import SqliteScratch
from blocks.backup.source_folder import FolderSource
from nakoming.records.backup_keys import BackupKeys
from tasks.backup import drill, drill_due
from tasks.backup.drill_one import TIMEOUT
from tasks.backup.drill_scratch import live_names, scratch_name
from tasks.backup.watch import BackupWatch
from tests.harness.installation import load_agreements
from tests.tasks.backup.backup_vault import DAY, DRILL, START, BackupVault, artifact
from tests.tasks.backup.conftest import CUSTOMERS, terms

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-2.4.7", "S-2.1.3d")


@pytest.fixture
def vault(records: Records, tmp_path: Path, prefect_api: PrefectServer) -> BackupVault:
    del prefect_api
    return BackupVault(records, tmp_path / "vault").made()


def agreed(records: Records, more: dict[str, str]) -> None:
    """Agree more on the backups of customers."""
    changes = {each: terms(each, more.get(each, "")) for each in CUSTOMERS}
    for customer in (each for each, text in more.items() if "drill_days" in text):
        changes[customer]["sources:\n"] = "sources:\n  backup: Bijlage bij de SLA, artikel 3\n"
    load_agreements(records, **changes)


def test_every_customer_s_copy_is_restored_measured_and_dropped(vault: BackupVault) -> None:
    vault.backed_up()
    assert vault.drill(START + DRILL).enter() == drill.PROVEN
    for customer in CUSTOMERS:
        (proof,) = vault.proofs(customer)
        assert (proof.good, proof.site) == (True, "far")
        assert proof.rpo is not None
        assert abs(proof.rpo - DRILL) < timedelta(minutes=2)
        assert proof.rto is not None
        assert "100 rows of 1 tables are equal. SQLite found" in proof.said
        assert "the live server" in proof.said
        assert vault.events(customer)["backup:restore:proven"] == 1
    assert vault.scratches() == []
    assert vault.mails() == []
    assert vault.events("vendor")["backup:drill:ended"] == 1
    rows = artifact("restore-drill")
    assert {(row["outcome"], row["RPO"]) for row in rows} == {("restored and equal", "1.8 h")}
    assert all(re.fullmatch(r"\d+\.\d\d s", row["RTO"]) for row in rows)
    assert {row["restored to prove it"] for row in artifact("backup-ages")} != {"never"}


def test_what_is_damaged_at_the_second_site_is_told_and_stops_no_other(vault: BackupVault) -> None:
    vault.backed_up()
    vault.damage("far", "fenwick")
    assert vault.drill(START + DRILL).enter() == drill.NOT_ALL
    assert drill.NOT_ALL in drill.PROCESS.red
    assert [each.good for each in vault.proofs("fenwick")] == [False]
    assert "was changed" in vault.proofs("fenwick")[0].said
    assert [each.good for each in vault.proofs("kestrel")] == [True]
    assert vault.restorable() == {"brouwer", "kestrel"}
    assert next(row for row in artifact("backup-ages") if row["customer"] == "fenwick")["backup"] is None
    assert artifact("restore-drill")[0]["outcome"] == "CANNOT BE RESTORED"
    (said,) = vault.mails()
    assert "1 van 3" in said["happened"]
    assert "fenwick" in str(said["details"])
    assert vault.scratches() == []


@pytest.mark.parametrize("destroyed", [False, True])
def test_a_key_that_is_gone_is_found_by_the_drill(vault: BackupVault, *, destroyed: bool) -> None:
    vault.backed_up()
    folder = vault.records.keys.folder
    if destroyed:
        BackupKeys(folder).destroy("brouwer")
    else:
        (folder / "brouwer.1.age-key").rename(folder / "elsewhere")
    assert vault.drill(START + DRILL).enter() == drill.NOT_ALL
    (proof,) = vault.proofs("brouwer")
    assert ("was destroyed" if destroyed else "Put it back from its escrow copy") in proof.said
    assert vault.restorable() == {"fenwick", "kestrel"}
    if not destroyed:
        (folder / "elsewhere").rename(folder / "brouwer.1.age-key")
        assert vault.drill(START + DRILL + timedelta(hours=1), again=1).enter() == drill.PROVEN
        assert vault.restorable() == set(CUSTOMERS)


def test_what_restores_to_something_else_is_no_backup(
    vault: BackupVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.backed_up()
    whole = SqliteScratch.restore

    def lossy(self: SqliteScratch, name: str, dump: object, live: frozenset[str]) -> None:
        whole(self, name, dump, live)  # type: ignore[arg-type]  # passed on
        with sqlite3.connect(self.place(name) / "database.sqlite") as connection:
            connection.execute("UPDATE orders SET note = '' WHERE id = 7")
        connection.close()

    monkeypatch.setattr(SqliteScratch, "restore", lossy)
    assert vault.drill(START + DRILL).enter() == drill.NOT_ALL
    (proof,) = vault.proofs("kestrel")
    assert "is not what its manifest says: file has other values" in proof.said
    assert vault.restorable() == set()


def test_a_site_that_does_not_answer_says_nothing_of_the_backup(vault: BackupVault) -> None:
    vault.backed_up()
    (vault.folder / "far").rename(vault.folder / "unplugged")
    assert vault.drill(START + DRILL).enter() == drill.NOT_ALL
    assert vault.proofs("brouwer") == []
    assert vault.restorable() == set(CUSTOMERS)
    assert {row["outcome"] for row in artifact("restore-drill")} == {"could not be tried"}
    assert "does not answer" in str(vault.mails()[0]["details"])


def test_what_a_killed_drill_left_is_dropped_also_of_whom_is_not_tried_again(vault: BackupVault) -> None:
    vault.backed_up()
    for customer in CUSTOMERS:
        left = vault.folder / "trial" / scratch_name(customer)
        left.mkdir()
        (left / "database.sqlite").write_bytes(b"half")
    mine = vault.folder / "trial" / "not-ours"
    mine.mkdir()
    assert vault.drill(START + DRILL).enter() == drill.PROVEN
    assert vault.scratches() == ["not-ours"]


def test_a_night_that_was_killed_goes_on_with_the_customer_it_was_at(
    vault: BackupVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.backed_up()
    checked: list[str] = []
    check = SqliteScratch.check

    def dying(self: SqliteScratch, name: str | None = None) -> tuple[str, ...]:
        checked.append(str(name))
        if len(checked) == 2:
            raise KeyboardInterrupt
        return check(self, name)

    monkeypatch.setattr(SqliteScratch, "check", dying)
    drop = SqliteScratch.drop  # a kill drops nothing
    monkeypatch.setattr(SqliteScratch, "drop", lambda self, name: len(checked) < 2 and drop(self, name))
    monkeypatch.setattr(drill, "LIMIT", 2 * TIMEOUT)
    walker = vault.drill(START + DRILL)
    with pytest.raises(KeyboardInterrupt):
        walker.enter()
    monkeypatch.undo()
    assert len(vault.scratches()) == 1
    vault.set_to(
        START + DRILL + TIMEOUT + timedelta(minutes=1)
    )  # nothing tells that the other process is dead
    assert walker.enter() == drill.PROVEN
    assert [len(vault.proofs(each)) for each in CUSTOMERS] == [1, 1, 1]
    assert vault.scratches() == []


def test_no_live_name_of_any_customer_is_a_scratch(
    vault: BackupVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.backed_up()
    taken = scratch_name("brouwer")
    vault.database("kestrel").with_name(f"{taken}.sqlite").touch()
    assert {"kestrel", "kestrel.sqlite", "fenwick"} <= live_names(vault.records)
    # As if kestrel's own live database had the name of brouwer's scratch.
    monkeypatch.setattr(
        "tasks.backup.drill_one.live_names", lambda records: live_names(records) | {taken.upper()}
    )
    assert vault.drill(START + DRILL).enter() == drill.NOT_ALL
    assert "something live has that name" in str(vault.mails()[0]["details"])
    assert vault.proofs("brouwer") == []
    assert len(vault.proofs("kestrel")) == 1


def test_who_must_be_proven_comes_first_then_the_newest_and_the_limit_ends_the_night(
    vault: BackupVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.backed_up()
    assert vault.drill(START + DRILL).enter() == drill.PROVEN
    agreed(vault.records, dict.fromkeys(("kestrel", "brouwer"), ", drill_days: 30"))
    at = START + 7 * DAY
    vault.backed_up(at)
    with vault.records.read() as tx:
        assert drill_due.in_order(tx)[0] == "fenwick"
    monkeypatch.setattr(drill, "_is_over", lambda case, until: len(case.finished) > 4)  # noqa: ARG005 - by steps
    assert vault.drill(at + DRILL).enter() == drill.PROVEN
    assert [len(vault.proofs(each)) for each in ("fenwick", "brouwer", "kestrel")] == [2, 1, 1]
    left = [row for row in artifact("restore-drill") if row["outcome"] == "no time left; a later night"]
    assert {row["customer"] for row in left} == {"brouwer", "kestrel"}


def test_nights_missed_and_customers_not_proven_are_breaches_told_once(vault: BackupVault) -> None:
    vault.backed_up()
    assert vault.drill(START + DRILL).enter() == drill.PROVEN
    for number in (1, 2, 3):
        vault.backed_up(START + number * DAY)
    BackupWatch(vault.records).look()
    assert vault.events("vendor")["backup:drill:missed"] == 2
    assert vault.events("brouwer")["backup:drill:overdue"] == 0
    vault.set_to(START + 7 * DAY + DRILL + timedelta(minutes=1))
    for _ in range(2):
        BackupWatch(vault.records).look()
    assert vault.events("vendor")["backup:drill:missed"] == 6
    assert [vault.events(each)["backup:drill:overdue"] for each in CUSTOMERS] == [1, 1, 1]
    late = [each for each in vault.mails() if "op tijd bewezen" in each["happened"]]
    assert len(late) == 2
    assert "brouwer; fenwick; kestrel" in str(late[1]["details"])


@pytest.mark.parametrize("named", [pytest.param(False, marks=pytest.mark.long), True])
def test_documents_are_restored_too(vault: BackupVault, *, named: bool) -> None:
    papers = vault.folder / "papers"
    papers.mkdir()
    (papers / "contract.txt").write_text("signed", encoding="utf-8")
    FolderSource(folder=papers).save("kestrel-papers", overwrite=True)
    more = ", documents: kestrel-papers"
    if named:
        FolderScratch(folder=vault.folder / "trial").save("paper-trial", overwrite=True)
        more += ", documents_scratch: paper-trial"
    agreed(vault.records, {"kestrel": more})
    vault.backed_up()
    assert vault.drill(START + DRILL).enter() == drill.PROVEN
    assert "documents.age: 1 rows of 1 tables are equal" in vault.proofs("kestrel")[0].said
    vault.damage("far", "kestrel", "documents.age")
    assert vault.drill(START + DRILL + timedelta(hours=1), again=1).enter() == drill.NOT_ALL
    assert "documents.age at the site" in vault.proofs("kestrel")[1].said
    assert vault.scratches() == []
