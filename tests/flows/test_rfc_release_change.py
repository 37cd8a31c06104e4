"""A generic request is planned for another release while it waits for its window (S-2.3.6)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from flows.rfc import production
from flows.rfc.release_change import AlreadyLive, change_release
from tests.harness.street import beta_installed, judged, let_it_be, papers_agreed, service, street

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.installation import Walker

KEY = "rfc/brouwer/2026-014"
MARCH, APRIL = "2027-03-06T15:00:00+00:00", "2027-04-03T14:00:00+00:00"  # first Saturdays, 16:00 here


@pytest.fixture
def waiting(on_sla_terms: Records, vendor: Path) -> Walker:
    """An accepted beta of a generic request that waits for the window of release 2027.03."""
    del vendor
    let_it_be(on_sla_terms, datetime(2026, 11, 23, 9, tzinfo=UTC))
    walker = street(on_sla_terms)
    judged(walker, release="2027.03")
    papers_agreed(walker)
    beta_installed(walker)
    walker.answer("acceptance/1/approval", "approve")
    walker.enter()
    return walker


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


@pytest.mark.clause("S-2.3.6")
def test_the_question_of_acceptance_names_the_planned_release_and_its_date(
    vendor: Path, on_sla_terms: Records
) -> None:
    del vendor
    let_it_be(on_sla_terms, datetime(2026, 11, 23, 9, tzinfo=UTC))
    walker = street(on_sla_terms)
    judged(walker, release="2027.05")  # Sat 1 May 2027: its last day to accept lies in April
    papers_agreed(walker)
    beta_installed(walker)
    asked = walker.gate("acceptance/1/approval")
    assert [
        "Eerstvolgende productiedatum",
        "zaterdag 1 mei 2027 (gepland: release 2027.05)",
    ] in asked.question.texts["nl"]["about"]
    assert ["Next production date", "Saturday 1 May 2027 (planned: release 2027.05)"] in asked.question.texts[
        "en"
    ]["about"]
    assert asked.due_by == datetime(2027, 4, 28, 22, tzinfo=UTC)  # 24:00 on Wed 28 Apr (S-2.3.2g)


def test_a_change_at_the_last_moment_stops_the_installation(
    waiting: Walker, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    real = production._hindered

    def meanwhile(*arguments: Any) -> production.Result | None:
        if not looks:
            plan(waiting, "2027.04")
        looks.append(arguments[1])
        return real(*arguments)

    monkeypatch.setattr(production, "_hindered", meanwhile)
    let_it_be(waiting.records, datetime(2027, 3, 6, 15, 0, 1, tzinfo=UTC))
    waiting.enter()
    assert looks == ["production/1/1"]
    assert waiting.entries[-1][0]["until"] == APRIL
    assert service(vendor, "production", "/version")["version"] == "1.0.0"
    let_it_be(waiting.records, datetime(2027, 4, 3, 14, 0, 1, tzinfo=UTC))
    waiting.enter()
    assert service(vendor, "production", "/version")["version"] == "1.1.0"
