"""What every connection over a network must do besides, on bad days."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from blocks.erp.errors import ErpConnectionLost, ErpLoginRefused, ErpUnreachable
from blocks.erp.protocol import Applied, Found
from tests.blocks.erp.contract import hours, numbers, read, status
from tests.blocks.erp.proxy import line_to

if TYPE_CHECKING:
    from tests.blocks.erp.postgresql_erp import PostgresErp

PASSWORD = "Sesam open; {u} 'é' %20"


class NetworkContract:
    """Inherit it with a fixture `erp`."""

    def test_an_administrator_ends_the_connection_in_the_middle_of_a_chunk(self, erp: PostgresErp) -> None:
        erp.fill(20_000)
        with erp.block(chunk_rows=100).connect() as session:
            chunks = session.read("bulk", ["number", "note"])
            next(chunks)
            assert erp.terminate() == 1
            with pytest.raises(ErpConnectionLost, match="reading bulk"):
                list(chunks)
            with pytest.raises(ErpConnectionLost):
                numbers(session)
        with erp.block().connect() as session:
            assert len(numbers(session)) == 4

    def test_the_line_breaks_in_the_middle_of_a_chunk(self, erp: PostgresErp) -> None:
        erp.fill(20_000)
        with (
            line_to(erp.server.port) as line,
            erp.block(port=line.port, chunk_rows=1_000).connect() as session,
        ):
            chunks = session.read("bulk", ["number", "note"])
            next(chunks)
            line.cut_after(1_000_000)
            with pytest.raises(ErpConnectionLost, match="reading bulk"):
                list(chunks)

    def test_an_effect_that_was_cut_is_done_once_afterwards(self, erp: PostgresErp) -> None:
        """The connection ends while the effect waits for a lock: its key is taken, nothing is committed."""
        ended = threading.Event()

        def end() -> None:
            until = time.monotonic() + 20
            while not erp.waiting_for_a_lock() and time.monotonic() < until:
                time.sleep(0.01)
            erp.terminate()
            ended.set()

        ender = threading.Thread(target=end)
        with erp.block().connect() as session:
            holder = erp.locked()
            holder.__enter__()
            ender.start()
            with pytest.raises(ErpConnectionLost, match="s1"):
                session.apply([status("s1", "A-1", "x")])
        assert ended.wait(20)
        ender.join()
        with erp.block().connect() as session:
            assert read(session, "suite_keys", ["external_key"]) == []
            assert session.apply([status("s1", "A-1", "x")]) == [Applied("s1")]
            assert session.read_back([status("s1", "A-1", "x")]) == [Found("s1")]

    def test_a_server_that_comes_back_is_found_after_pauses_that_double(self, erp: PostgresErp) -> None:
        pauses: list[float] = []
        with line_to(erp.server.port) as line:
            line.down()

            def pause(seconds: float) -> None:
                pauses.append(seconds)
                if len(pauses) == 2:
                    line.up()

            block = erp.block(port=line.port, attempts=4, first_pause=timedelta(seconds=2))
            with block.connect(pause=pause) as session:
                assert len(numbers(session)) == 4
            assert pauses == [2.0, 4.0]

    def test_a_server_that_stays_away_is_unreachable(self, erp: PostgresErp) -> None:
        pauses: list[float] = []
        with line_to(erp.server.port) as line:
            line.down()
            with (
                pytest.raises(ErpUnreachable, match=f"{line.port}.*refused"),
                erp.block(port=line.port).connect(pause=pauses.append),
            ):
                pass
        assert pauses == [1.0, 2.0]

    def test_a_wrong_password_is_tried_once_and_told_nowhere(
        self, erp: PostgresErp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        account = f"{type(self).__name__.lower()}_{erp.database[-6:]}"
        erp.account(account, PASSWORD)
        monkeypatch.setenv("ERP_PASSWORD", PASSWORD)
        monkeypatch.setenv("ERP_WRONG", "Wr0ng; {one}")
        pauses: list[float] = []
        wrong = erp.block(username=account, password="env:ERP_WRONG")
        with pytest.raises(ErpLoginRefused, match=account) as caught, wrong.connect(pause=pauses.append):
            pass
        assert pauses == []
        right = erp.block(username=account, password="env:ERP_PASSWORD")
        with right.connect() as session:
            assert session.now()
            logging.getLogger("erp").warning("connected %s", vars(session))
        shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(right) + str(wrong)
        assert "Wr0ng" not in shown
        assert "Sesam" not in shown
        assert "Sesam" not in right.model_dump_json()

    def test_a_database_that_is_not_there(self, erp: PostgresErp) -> None:
        erp.database = "no_such_database"
        with pytest.raises(ErpLoginRefused, match="no_such_database"), erp.block().connect():
            pass

    def test_hours_of_two_at_once_happen_once(self, erp: PostgresErp) -> None:
        """Two writers with the same keys: both hear that it is done, one did it."""
        effects = [hours(f"h{number}", order=str(number)) for number in range(40)]
        answers: list[list[Applied]] = []

        def write() -> None:
            with erp.block().connect() as session:
                answers.append([each for each in session.apply(effects) if isinstance(each, Applied)])

        writers = [threading.Thread(target=write) for _ in range(2)]
        for each in writers:
            each.start()
        for each in writers:
            each.join()
        assert [len(each) for each in answers] == [40, 40]
        assert sum(not each.already for both in answers for each in both) == 40
        assert erp.ask("SELECT count(*) FROM hours") == [(40,)]
