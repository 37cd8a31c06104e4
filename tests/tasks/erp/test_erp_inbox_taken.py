"""Files of an ERP's inbox, on a real OpenSSH server: taken once, answered, moved; nothing lost in between."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import sqlalchemy as sa
from sqlalchemy import select

from blocks.erp.inbox import ErpInbox
from blocks.erp.inbox_session import InboxSession
from blocks.suite_database import SuiteDatabase
from flows.erp import both_ways
from flows.erp_sync import PROCESS
from nakoming.records import clock, connections, schema
from tasks.blocks import load_block
from tasks.erp import files, shown
from tasks.workbook import Sheet, SheetColumn, write_workbook
from tests.blocks.conftest import sshd, sshd_in  # noqa: F401 - the server of the tests of blocks
from tests.harness.erp import CUSTOMER, on_sqlite
from tests.harness.installation import Walker, installed
from tests.tasks.workbook.foreign import locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.blocks.conftest import Sshd
    from tests.harness.erp import BothSides
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-4.2.1")
COLUMNS = ("order_no", "customer_name", "item_no", "description", "qty", "due_date", "status", "row_version")
ENDS = "  connection: brouwer-erp\n  suite: brouwer-suite\n"
FILES_ALONE = "  inbox: brouwer-inbox\n  suite: brouwer-suite\n"


def never_calculated() -> bytes:
    """A workbook with a formula, from a program that calculates none."""
    import openpyxl

    book, made = openpyxl.Workbook(), BytesIO()
    book.active.append(COLUMNS)
    book.active.append(("F-1", "Veldkamp", "HEB-200", "", "=2+3", "2026-12-18", "planned", 1))
    book.save(made)
    return made.getvalue()


def bomb() -> bytes:
    """A workbook that is a thousand times as large when it is unpacked."""
    made = BytesIO(never_calculated())
    with ZipFile(made, "a", ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image1.png", bytes(30 << 20))
    return made.getvalue()


class Killed(BaseException):
    """The process ends here, without a word."""


class Inbox:
    """The ERP's side: puts files, reads answers."""

    def __init__(self, home: Path, records: Records, suite: BothSides) -> None:
        self.home = home
        self.records = records
        self.suite = suite
        self._runs = 0
        (home / "inbox").mkdir()

    def put(self, name: str, content: bytes) -> None:
        (self.home / "inbox" / name).write_bytes(content)

    def csv(self, name: str, *rows: str, columns: tuple[str, ...] = COLUMNS) -> None:
        self.put(name, "\n".join((";".join(columns), *rows, "")).encode())

    def run(self, **given: Any) -> str | None:
        """One run of the exchange."""
        self._runs += 1
        parameters = {"mode": "incremental", "order": "", "dry_run": False} | given
        return Walker(self.records, PROCESS, CUSTOMER, f"run-{self._runs}", parameters).enter()

    @property
    def waiting(self) -> list[str]:
        return sorted(path.name for path in (self.home / "inbox").iterdir())

    @property
    def moved(self) -> int:
        folder = self.home / "processed"
        return len(list(folder.iterdir())) if folder.exists() else 0

    def answer(self) -> str:
        (path,) = (self.home / "answers").iterdir()
        return path.read_text(encoding="utf-8")

    def answers(self) -> dict[str, str]:
        """The answers, by the names of their files."""
        texts = [path.read_text(encoding="utf-8") for path in (self.home / "answers").iterdir()]
        return {text.partition(":")[0]: text for text in texts}

    def orders(self) -> list[Any]:
        query = "SELECT number, quantity, due_on, status FROM production_orders ORDER BY number"
        return [tuple(map(str, row)) for row in self.suite.suite_rows(query)]

    def told(self, about: str = "/file/") -> list[str]:
        with self.records.read() as tx:
            rows = tx.connection.execute(
                select(schema.outbox.c.key).where(schema.outbox.c.kind == "operators")
            )
            return [row.key for row in rows if about in row.key]


def order(number: str = "F-1", qty: str = "5", due: str = "18-12-2026", version: str = "1") -> str:
    return f"{number};Veldkamp;HEB-200;Ligger;{qty};{due};planned;{version}"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> BothSides:
    """A Suite without orders, to be copied for each test."""
    return on_sqlite(tmp_path_factory.mktemp("both"))


@pytest.fixture
def inbox(
    empty: BothSides,
    tmp_path: Path,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    prefect_api: PrefectServer,
    sshd: Sshd,  # noqa: F811 - the fixture
) -> Iterator[Inbox]:
    """A customer whose ERP gives files alone."""
    del prefect_api
    assert empty.suite.path is not None
    shutil.copy(empty.suite.path, tmp_path / "suite.db")
    both = replace(empty, suite=SuiteDatabase(dialect="sqlite", path=tmp_path / "suite.db"))
    machine = sshd.block()
    block = ErpInbox(
        host="127.0.0.1",
        port=sshd.port,
        username=machine.username,
        host_key=sshd.host_key,
        private_key=machine.private_key,
        folder=str(tmp_path / "inbox"),
        answers=str(tmp_path / "answers"),
        processed=str(tmp_path / "processed"),
        settle=timedelta(0),
        most_bytes=1 << 20,
    )
    block.save("brouwer-inbox", overwrite=True)
    both.suite.save("brouwer-suite", overwrite=True)
    with installed(tmp_path / "home", sqlite_url, monkeypatch, brouwer={ENDS: FILES_ALONE}) as records:
        yield Inbox(tmp_path, records, both)
    ErpInbox.delete("brouwer-inbox")
    SuiteDatabase.delete("brouwer-suite")


def test_a_csv_file_is_taken_answered_and_moved(inbox: Inbox) -> None:
    inbox.csv("orders-maandag.csv", order("F-1"), order("F-2", qty="veel"), order("F-3", due="2026-12-19"))
    assert inbox.run() == both_ways.EXCHANGED
    assert inbox.orders() == [("F-1", "5", "2026-12-18", "planned"), ("F-3", "5", "2026-12-19", "planned")]
    assert (inbox.waiting, inbox.moved) == ([], 1)
    answer = inbox.answer()
    assert answer.startswith("orders-maandag.csv: overgenomen op ")
    assert "Gelezen: 3 regels. Nieuw: 2, gewijzigd: 0, vervallen: 0, niet overgenomen: 1." in answer
    assert "\n- F-2: Aantal " in answer
    assert "tellen als leeg: changed_at, deleted." in answer
    assert inbox.told() == []


def test_a_workbook_is_taken_with_its_own_kinds_of_cells(inbox: Inbox) -> None:
    kinds = ("text", "text", "text", "text", "integer", "date", "text", "integer", "text")
    named = [
        SheetColumn(name, kind, 12)  # type: ignore[arg-type]
        for name, kind in zip(("Order_No ", *COLUMNS[1:], "opmerking"), kinds, strict=True)
    ]
    row = ("F-9", "Veldkamp", "HEB-200", None, 12, date(2026, 12, 18), "planned", 3, "haast")
    write_workbook(
        inbox.home / "inbox" / "Orders week 51.xlsx",
        [Sheet("Orders", tuple(named), iter([row]))],
        language="nl",
    )
    assert inbox.run() == both_ways.EXCHANGED, inbox.answer()
    assert inbox.orders() == [("F-9", "12", "2026-12-18", "planned")]
    assert "kennen wij niet; ze zijn niet gebruikt: opmerking." in inbox.answer()


def test_the_same_content_has_no_effect_a_second_time(inbox: Inbox) -> None:
    inbox.csv("orders.csv", order())
    inbox.run()
    inbox.suite.in_suite("UPDATE production_orders SET quantity = 77")
    inbox.csv("orders.csv", order())
    assert inbox.run() == both_ways.EXCHANGED
    assert inbox.orders()[0][1] == "77"
    assert "dit bestand is al overgenomen op" in inbox.answer()
    assert "Nieuw: 1" in inbox.answer()
    assert inbox.waiting == []
    assert inbox.suite.suite_rows("SELECT count(*) FROM erp_sync_batches") == [(1,)]


def test_a_file_that_is_older_than_what_a_newer_file_brought_changes_nothing(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: dict[str, list[dict[str, Any]]] = {}
    monkeypatch.setattr(shown, "_publish", lambda key, rows, _: published.update({key: rows}))
    inbox.csv("orders-2.csv", order("F-1", qty="9", version="12"), order("F-2", qty="9", version="3"))
    inbox.run()
    inbox.csv(
        "orders-1.csv",
        order("F-1", qty="4", version="9"),  # as text it would be the newer one
        order("F-2", qty="5", version="3"),
        order("F-3", qty="6", version="1"),
    )
    assert inbox.run() == both_ways.EXCHANGED
    assert [row[:2] for row in inbox.orders()] == [("F-1", "9"), ("F-2", "5"), ("F-3", "6")]
    answer = inbox.answers()["orders-1.csv"]
    assert "1 regels zijn ouder dan wat de Suite al heeft; ze zijn niet gebruikt:" in answer
    assert "\n- F-1: versie 9; de Suite heeft versie 12.\n" in answer
    assert "Nieuw: 1, gewijzigd: 1, vervallen: 0, niet overgenomen: 0." in answer
    assert "ouder" not in inbox.answers()["orders-2.csv"]
    (row,) = published["erp-files-brouwer"]
    assert (row["file"], row["became"], row["older rows left alone"]) == ("orders-1.csv", "taken", 1)


def test_an_old_file_neither_brings_a_removed_row_back_nor_takes_a_newer_one_away(inbox: Inbox) -> None:
    columns = (*COLUMNS, "deleted")
    inbox.csv(
        "orders.csv", f"{order('F-1', version='5')};1", f"{order('F-2', version='5')};0", columns=columns
    )
    inbox.run()
    inbox.csv(
        "orders.csv", f"{order('F-1', version='4')};0", f"{order('F-2', version='4')};1", columns=columns
    )
    assert inbox.run() == both_ways.EXCHANGED
    assert [(row[0], row[3]) for row in inbox.orders()] == [("F-2", "planned")]


def test_orders_are_taken_before_what_refers_to_them(inbox: Inbox) -> None:
    columns = ("order_no", "op_no", "op_name", "planned_min", "row_version")
    inbox.csv("Operations.csv", "F-1;10;Zagen;30;1", columns=columns)
    inbox.csv("orders.csv", order())
    assert inbox.run() == both_ways.EXCHANGED
    assert inbox.suite.suite_rows("SELECT order_number, name FROM operations") == [("F-1", "Zagen")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("orders.csv", b"order_no;qty\nF-1;5\n", "Er ontbreken kolommen die nodig zijn."),
        ("klanten.csv", b"a;b\n1;2\n", "die begint met orders, operations of materials"),
        ("orders.xlsx", b"PK\x03\x04 and then nothing", "geen Excel-werkmap"),
        ("orders.xlsx", locked(), "beveiligd met een wachtwoord"),
        ("orders.xlsx", never_calculated(), "een formule die nooit is berekend"),
        ("orders.xlsx", bomb(), "uitgepakt te groot"),
        ("orders.csv", "order_no;naam\nF-1;Jos\u00e9\n".encode("cp1252"), "andere codering"),
        ("orders.csv", "\n".join((";".join(COLUMNS), '"F-1;5', "")).encode(), "niet de vorm van CSV"),
    ],
)
def test_a_refused_file_is_answered_moved_and_told_once(
    inbox: Inbox, name: str, content: bytes, said: str
) -> None:
    inbox.put(name, content)
    assert inbox.run() == both_ways.REFUSED
    assert said in inbox.answer()
    assert inbox.answer().startswith(f"{name}: niet overgenomen, geen enkele regel.")
    assert (inbox.waiting, inbox.moved) == ([], 1)
    inbox.put(name, content)
    assert inbox.run() == both_ways.REFUSED
    assert len(inbox.told()) == 1
    assert inbox.orders() == []


def test_a_file_with_too_many_bad_rows_leaves_nothing(inbox: Inbox) -> None:
    inbox.csv("orders.csv", *(order(f"F-{number}", qty="-1" if number % 2 else "5") for number in range(40)))
    assert inbox.run() == both_ways.REFUSED
    assert inbox.orders() == []
    assert "Er zijn te veel foute regels." in inbox.answer()


def test_what_goes_wrong_in_the_last_row_leaves_nothing(inbox: Inbox) -> None:
    inbox.csv("orders.csv", *(order(f"F-{number}") for number in range(5000)), "F-9999;and;too;few")
    assert inbox.run() == both_ways.REFUSED
    assert inbox.orders() == []
    assert "Line 5002 of 'orders.csv'" in inbox.answer()


def test_a_file_beyond_the_limit_is_answered_and_stays(inbox: Inbox) -> None:
    inbox.put("orders.csv", b"x" * ((1 << 20) + 1))
    assert inbox.run() == both_ways.REFUSED
    assert inbox.run() == both_ways.REFUSED
    assert "blijft staan tot u het weghaalt" in inbox.answer()
    assert inbox.waiting == ["orders.csv"]
    assert len(inbox.told()) == 1


def _die(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize(
    ("owner", "attribute", "taken"),
    [
        (files, "take", False),  # fetched, and nothing done with it
        (files, "_enter", False),  # loaded, and not committed
        (InboxSession, "acknowledge", True),  # committed, and not answered
        (InboxSession, "move", True),  # answered, and not moved
        (files, "note_answered", True),  # moved, and not noted
    ],
)
def test_cut_off_at_each_boundary_the_next_run_ends_it(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, owner: Any, attribute: str, *, taken: bool
) -> None:
    inbox.csv("orders.csv", order("F-1"), order("F-2", qty="veel"))
    with monkeypatch.context() as patch:
        patch.setattr(owner, attribute, _die)
        with pytest.raises(Killed):
            inbox.run()
    assert bool(inbox.orders()) is taken
    before = inbox.orders()
    # What the killed process held is given up in time.
    with inbox.records.write() as tx:
        clock.set_to(tx.connection, tx.now + timedelta(hours=2))
    assert inbox.run() == both_ways.EXCHANGED
    assert inbox.orders() == before or not taken
    assert inbox.orders() == [("F-1", "5", "2026-12-18", "planned")]
    assert inbox.suite.suite_rows("SELECT count(*) FROM erp_sync_batches") == [(1,)]
    assert inbox.suite.suite_rows("SELECT count(*) FROM erp_sync_quarantine") == [(1,)]
    assert (inbox.waiting, inbox.moved) == ([], 1)
    answer = inbox.answer()
    assert answer.startswith("orders.csv: overgenomen op ")
    assert "\n- F-2: Aantal " in answer


def test_an_inbox_that_is_away_is_told_and_comes_back(inbox: Inbox, tmp_path: Path) -> None:
    stored = load_block(ErpInbox, "brouwer-inbox")
    (tmp_path / "other").mkdir()
    with sshd_in(tmp_path / "other") as gone:
        away = stored.model_copy(update={"port": gone.port, "host_key": gone.host_key})
    away.save("brouwer-inbox", overwrite=True)
    assert inbox.run() == both_ways.NOT_REACHED
    with inbox.records.read() as tx:
        assert connections.standing(tx, CUSTOMER, "brouwer-inbox").failures == 1
    stored.save("brouwer-inbox", overwrite=True)
    inbox.csv("orders.csv", order())
    assert inbox.run() == both_ways.EXCHANGED
    with inbox.records.read() as tx:
        assert connections.standing(tx, CUSTOMER, "brouwer-inbox").failures == 0


def test_an_inbox_that_stays_away_is_one_message_and_is_left_alone(inbox: Inbox, tmp_path: Path) -> None:
    stored = load_block(ErpInbox, "brouwer-inbox")
    (tmp_path / "other").mkdir()
    with sshd_in(tmp_path / "other") as gone:
        away = stored.model_copy(update={"port": gone.port, "host_key": gone.host_key})
    away.save("brouwer-inbox", overwrite=True)
    for _ in range(3):
        assert inbox.run() == both_ways.NOT_REACHED
    stored.save("brouwer-inbox", overwrite=True)  # it is back; nobody has tried yet
    inbox.csv("orders.csv", order())
    assert inbox.run() == both_ways.NOT_REACHED
    assert inbox.waiting == ["orders.csv"]
    assert len(inbox.told("/connection/")) == 1
    with inbox.records.write() as tx:
        standing = connections.standing(tx, CUSTOMER, "brouwer-inbox")
        assert (standing.failures, standing.open_until is None) == (3, False)
        clock.set_to(tx.connection, tx.now + timedelta(minutes=2))
    assert inbox.run() == both_ways.EXCHANGED
    assert inbox.waiting == []
    assert len(inbox.told("/connection-back/")) == 1


def test_another_host_key_is_told_at_once_and_is_no_outage(inbox: Inbox, tmp_path: Path) -> None:
    stored = load_block(ErpInbox, "brouwer-inbox")
    (tmp_path / "other").mkdir()
    with sshd_in(tmp_path / "other") as stranger:
        stored.model_copy(update={"port": stranger.port}).save("brouwer-inbox", overwrite=True)
        for _ in range(4):
            assert inbox.run() == both_ways.REFUSED
    assert len(inbox.told("/refused/brouwer-inbox/")) == 1
    assert inbox.told("/connection/") == []
    with inbox.records.read() as tx:
        assert connections.standing(tx, CUSTOMER, "brouwer-inbox").failures == 0


def test_a_folder_that_is_not_there_is_told_at_once(inbox: Inbox) -> None:
    (inbox.home / "inbox").rmdir()
    assert inbox.run() == both_ways.REFUSED
    assert len(inbox.told("/refused/brouwer-inbox/")) == 1


def test_a_long_rest_is_waited_for_between_two_runs(inbox: Inbox) -> None:
    stored = load_block(ErpInbox, "brouwer-inbox")
    stored.model_copy(update={"settle": timedelta(minutes=10)}).save("brouwer-inbox", overwrite=True)

    def later(minutes: int) -> None:
        with inbox.records.write() as tx:
            clock.set_to(tx.connection, tx.now + timedelta(minutes=minutes))

    inbox.csv("orders.csv", order())
    assert inbox.run() == both_ways.EXCHANGED
    later(11)
    inbox.csv("orders.csv", order(), order("F-2"))  # it has grown, and rests from now on
    assert inbox.run() == both_ways.EXCHANGED
    later(5)
    assert inbox.run() == both_ways.EXCHANGED
    assert inbox.waiting == ["orders.csv"]
    later(6)
    assert inbox.run() == both_ways.EXCHANGED
    assert (inbox.waiting, len(inbox.orders())) == ([], 2)


def test_a_comparison_and_a_rehearsal_take_nothing(inbox: Inbox) -> None:
    inbox.csv("orders.csv", order())
    assert inbox.run(mode="compare") == both_ways.NOTHING_TO_COMPARE
    assert inbox.run(dry_run=True) == both_ways.REHEARSED
    assert inbox.waiting == ["orders.csv"]
    assert not sa.inspect(inbox.suite.suite.engine()).has_table("erp_sync_files")
