"""A generic request is planned for another release while it waits for its window (S-2.3.6)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from flows.rfc import production
from flows.rfc.release_change import AlreadyLive, change_release
from flows.rfc_street import PROCESS
from nakoming.records import clock
from tests.flows.test_rfc_street_decisions import GIVEN
from tests.flows.test_rfc_street_production import OVERRIDES
from tests.flows.test_rfc_street_real import service
from tests.harness.installation import Walker, installed
from tests.harness.vendor import running_environments, save_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.prefect_server import PrefectServer

KEY = "rfc/brouwer/2026-014"
MARCH, APRIL = "2027-03-06T15:00:00+00:00", "2027-04-03T14:00:00+00:00"  # first Saturdays, 16:00 here


@pytest.fixture
def vendor(tmp_path: Path, prefect_api: PrefectServer) -> Iterator[Path]:
    del prefect_api
    with running_environments(tmp_path / "demo", "brouwer") as root:
        save_blocks(root, "brouwer")
        yield root


@pytest.fixture
def waiting(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, vendor: Path
) -> Iterator[Walker]:
    """An accepted beta of a generic request that waits for the window of release 2027.03."""
    del vendor
    with installed(tmp_path / "home", sqlite_url, monkeypatch, brouwer={OVERRIDES: ""}) as records:
        let_it_be(records, datetime(2026, 11, 23, 9, tzinfo=UTC))
        walker = Walker(records, PROCESS, "brouwer", GIVEN["reference"], dict(GIVEN))
        walker.enter()
        walker.answer("judgement/choice", "choose", option="generic", remark="Meer klanten vragen dit.")
        walker.enter()
        walker.deliver("judgement/release", release="2027.03")
        walker.enter()
        for paper in ("requirement-analysis", "functional-specification"):
            walker.deliver(f"{paper}/1/delivery", paper)
            walker.enter()
            walker.answer(f"{paper}/1/approval", "approve")
            walker.enter()
        walker.deliver("build/1/revision", revision="1.1")
        walker.enter()
        walker.answer("acceptance/1/approval", "approve")
        walker.enter()
        yield walker


def let_it_be(records: Records, instant: datetime) -> None:
    with records.write() as tx:
        clock.set_to(tx.connection, instant)


def plan(walker: Walker, release: str) -> None:
    with walker.records.write() as tx:
        change_release(tx, KEY, release, by="test", reason="")


def test_the_window_is_chosen_again_for_a_later_and_for_an_earlier_release(
    waiting: Walker, vendor: Path
) -> None:
    assert waiting.entries[-1][0]["until"] == MARCH
    plan(waiting, "2027.04")
    with waiting.records.read() as tx:
        assert waiting.case.wake_at is not None
        assert waiting.case.wake_at <= tx.now
    waiting.enter()
    assert waiting.entries[-1][0]["until"] == APRIL
    let_it_be(waiting.records, datetime(2027, 3, 6, 15, 0, 1, tzinfo=UTC))
    waiting.enter()  # the old window opens, and is not used
    assert service(vendor, "production", "/version")["version"] == "1.0.0"
    plan(waiting, "2027.03")
    waiting.enter()
    assert service(vendor, "production", "/version")["version"] == "1.1.0"
    with waiting.records.write() as tx, pytest.raises(AlreadyLive):
        change_release(tx, KEY, "2027.04", by="test", reason="")


def test_a_change_at_the_last_moment_stops_the_installation(
    waiting: Walker, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    real = production._still_built_on

    def meanwhile(*arguments: Any) -> bool:
        if not looks:
            plan(waiting, "2027.04")
        looks.append(arguments[1])
        return real(*arguments)

    monkeypatch.setattr(production, "_still_built_on", meanwhile)
    let_it_be(waiting.records, datetime(2027, 3, 6, 15, 0, 1, tzinfo=UTC))
    waiting.enter()
    assert looks == ["production/1/1"]
    assert waiting.entries[-1][0]["until"] == APRIL
    assert service(vendor, "production", "/version")["version"] == "1.0.0"
    let_it_be(waiting.records, datetime(2027, 4, 3, 14, 0, 1, tzinfo=UTC))
    waiting.enter()
    assert service(vendor, "production", "/version")["version"] == "1.1.0"
