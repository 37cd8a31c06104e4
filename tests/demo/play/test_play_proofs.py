"""The play's end and its troubles: what is not proven is not said, and what does not move is named."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from sqlalchemy import text

from demo.play import play as playing
from demo.play import proving, script
from demo.play.board import Board
from demo.play.errors import CaseStoppedError, EvidenceDamagedError, FieldMissingError, NothingMovesError
from demo.play.mail import MailReader
from demo.play.officers import Decided, Office
from demo.play.watching import Watch
from demo.play.web import Browser
from deployments.embedded.home import Home
from deployments.embedded.options import Options
from deployments.embedded.system import describe
from nakoming.records import cases, migrate
from nakoming.records.cases import State
from nakoming.records.store import Records
from nakoming.settings import Settings
from tests.harness.installation import load_agreements
from tests.harness.vendor import running_environments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.play.watching import Look

REFERENCE = script.read_request()["reference"]
KEY = f"rfc/{script.CUSTOMER}/{REFERENCE}"


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.from_settings(Settings(home=tmp_path / "home"))
    migrate.upgrade(opened)
    load_agreements(opened)
    yield opened
    opened.engine.dispose()


def test_production_without_the_field_is_not_called_done(tmp_path: Path) -> None:
    with running_environments(tmp_path / "demo", script.CUSTOMER) as root, Browser() as browser:
        address = proving.suite_address(root, script.CUSTOMER, "production")
        with pytest.raises(FieldMissingError) as missing:
            proving.check_production(browser, address)
    assert str(missing.value) == (
        f"Production at {address} does not show 'Spoedcode' on every order: "
        "its page has no column 'Spoedcode'."
    )


def test_evidence_that_was_changed_is_not_called_verified(records: Records) -> None:
    opened(records)
    proving.check_evidence(records)
    with records.engine.begin() as connection:
        connection.execute(
            text("UPDATE evidence SET event = 'case:run:closed' WHERE chain = 'brouwer' AND seq = 1")
        )
    with pytest.raises(EvidenceDamagedError, match="Record 1 of chain brouwer"):
        proving.check_evidence(records)


def test_what_stands_still_is_named_with_its_log(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = opened(records)
    monkeypatch.setattr(playing, "PATIENCE_SECONDS", 0.0)
    with Browser() as browser:
        play = a_play(records, tmp_path, browser)
        quiet = Office([], MailReader(browser, "http://127.0.0.1:9"))
        play._check_moving(look, quiet)  # the first look is a movement
        time.sleep(0.01)  # until the patience of no seconds has passed
        with pytest.raises(NothingMovesError) as still:
            play._check_moving(look, quiet)
    assert str(still.value) == (
        f"Nothing has moved for 0 seconds: {KEY} is open, and no run has taken it up. "
        f"Look in {tmp_path}/home/logs/reconciler.log, and at http://127.0.0.1:8461/runs/flow-run/."
    )


def test_a_case_that_is_stuck_is_told_at_once(records: Records, tmp_path: Path) -> None:
    opened(records)
    with records.engine.begin() as connection:
        connection.execute(text("UPDATE cases SET state = 'stuck', last_error = 'The disk is full.'"))
    look = Watch(records, script.CUSTOMER, REFERENCE).look()
    assert look.state == State.STUCK
    with Browser() as browser, pytest.raises(CaseStoppedError) as stuck:
        a_play(records, tmp_path, browser)._check_moving(
            look, Office([], MailReader(browser, "http://127.0.0.1:9"))
        )
    assert str(stuck.value).startswith(f"The case {KEY} is stuck: The disk is full. Look with `nakoming case")


def test_everybody_who_may_be_asked_has_a_mailbox_in_the_play(records: Records) -> None:
    officers = dict(Watch(records, script.CUSTOMER, REFERENCE).officers())
    assert officers["Mila de Wit"] == "mila.de.wit@brouwer-plaatwerk.example"
    assert officers["Ines Verhoeven"] == "ines.verhoeven@sps.example"
    assert len(officers) == 9


@pytest.mark.parametrize("terminal", [True, False])
def test_the_progress_tells_each_decision_once(records: Records, *, terminal: bool) -> None:
    shown = io.StringIO()
    board = Board(Console(file=shown, force_terminal=terminal, width=120))
    with records.write() as tx:
        opened = cases.open_case(
            tx, "rfc", script.CUSTOMER, REFERENCE, agreement_version=1, flow_revision=1, parameters={}
        )
        lease = cases.acquire(tx, opened.case.id, "test")
        cases.enter_stage(tx, lease, "quote")
    with board.shown():
        board.show(Watch(records, script.CUSTOMER, REFERENCE).look())
        board.decided(Decided("Lotte [Mulder]", "Maak de offerte", "quotes € 1250.00", "brouwer-23"))
    assert shown.getvalue().count("Lotte [Mulder] quotes € 1250.00 (brouwer-23)") == 1
    assert ("— Quote" in shown.getvalue()) is not terminal


def opened(records: Records) -> Look:
    """The play's case, opened and not yet taken up."""
    with records.write() as tx:
        cases.open_case(
            tx, "rfc", script.CUSTOMER, REFERENCE, agreement_version=1, flow_revision=1, parameters={}
        )
    return Watch(records, script.CUSTOMER, REFERENCE).look()


def a_play(records: Records, folder: Path, browser: Browser) -> playing._Play:
    """A play of a system that would be in this folder."""
    settings = Settings(home=folder / "home")
    system = describe(Home.of(settings), settings, Options(), 1)
    return playing._Play(system, records, browser, Console(file=io.StringIO()))
