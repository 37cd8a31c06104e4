"""Production: real windows with moved time, a failed installation, an acceptance taken back, two requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from nakoming.records import answers, timeline
from tests.harness.street import (
    accepted_beta,
    agreed_until_build,
    beta_installed,
    let_it_be,
    service,
    street,
)
from tests.harness.vendor import break_production

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.records.store import Records


@pytest.mark.clause("S-2.3.2h")
def test_the_first_window_that_keeps_both_lead_times_is_taken(vendor: Path, on_sla_terms: Records) -> None:
    # Mon 23 Nov 2026 is the last day for a beta of the release of Sat 5 Dec 2026 (S-2.6.1).
    let_it_be(on_sla_terms, datetime(2026, 11, 23, 9, tzinfo=UTC))
    walker = street(on_sla_terms)
    accepted_beta(walker)
    assert walker.enter() is None
    (instant, watched) = walker.entries[-1]
    assert instant["until"] == "2026-12-05T15:00:00+00:00"  # Saturday 16:00 in Amsterdam
    assert watched["seen"] == "fulfilled"
    with on_sla_terms.read() as tx:
        assert "window of 2026-12-05" in str(timeline.waits(tx, walker.case))
    assert service(vendor, "production", "/version")["version"] == "1.0.0"
    let_it_be(on_sla_terms, datetime(2026, 12, 5, 15, 0, 1, tzinfo=UTC))
    walker.enter()
    assert service(vendor, "production", "/version")["version"] == "1.1.0"


def test_a_late_acceptance_waits_for_the_next_month_and_says_why(vendor: Path, on_sla_terms: Records) -> None:
    del vendor
    let_it_be(on_sla_terms, datetime(2026, 11, 23, 9, tzinfo=UTC))
    walker = street(on_sla_terms)
    agreed_until_build(walker)
    beta_installed(walker)
    # Wed 2 Dec 2026 is the last day before Sat 5 Dec (S-2.3.2g); this is 00:30 on Thu 3 Dec.
    let_it_be(on_sla_terms, datetime(2026, 12, 2, 23, 30, tzinfo=UTC))
    walker.answer("acceptance/1/approval", "approve")
    walker.enter()
    waits = walker.entries[-1][0]
    assert waits["until"] == "2027-01-02T15:00:00+00:00"
    assert "2026-12-05: accepted_too_late" in waits["what"]


def test_a_worker_that_was_away_during_the_window_takes_the_next_one(
    vendor: Path, on_sla_terms: Records
) -> None:
    let_it_be(on_sla_terms, datetime(2026, 11, 23, 9, tzinfo=UTC))
    walker = street(on_sla_terms)
    accepted_beta(walker)
    walker.enter()
    # 18:45 on Saturday: installation and rollback would not end by 19:00, Sunday is the reserve.
    let_it_be(on_sla_terms, datetime(2026, 12, 5, 17, 45, tzinfo=UTC))
    walker.enter()
    assert walker.entries[-1][0]["until"] == "2026-12-06T15:00:00+00:00"
    assert service(vendor, "production", "/version")["version"] == "1.0.0"


def test_an_acceptance_taken_back_while_waiting_stops_the_installation(
    vendor: Path, on_sla_terms: Records
) -> None:
    let_it_be(on_sla_terms, datetime(2026, 11, 23, 9, tzinfo=UTC))
    walker = street(on_sla_terms)
    accepted_beta(walker)
    walker.enter()
    with on_sla_terms.write() as tx:
        answers.retract(tx, walker.gate("acceptance/1/approval").id, "brouwer:joost-smit")
    assert walker.case.wake_at is not None
    let_it_be(on_sla_terms, datetime(2026, 12, 5, 15, 0, 1, tzinfo=UTC))
    walker.enter()
    assert [gate.name for gate in walker.open_gates()] == ["acceptance/1/approval"]
    assert service(vendor, "production", "/version")["version"] == "1.0.0"


@pytest.mark.clause("S-2.6.13")
def test_a_failed_installation_is_rolled_back_and_goes_back_to_build(vendor: Path, records: Records) -> None:
    walker = street(records)
    accepted_beta(walker)
    break_production(vendor, "brouwer")
    walker.enter()
    assert [gate.name for gate in walker.open_gates()] == ["build/2/revision"]
    assert service(vendor, "production", "/version")["version"] == "1.0.0"
    (told,) = walker.mails("operators")
    assert told.context["trouble"] == "rolled_back"
    assert any(mail.context.get("title", "").endswith("niet in productie genomen") for mail in walker.mails())


def test_a_second_request_waits_for_the_acceptance_environment_and_says_so(
    vendor: Path, records: Records
) -> None:
    first = street(records)
    agreed_until_build(first)
    beta_installed(first)
    second = street(records, reference="2026-015")
    agreed_until_build(second)
    beta_installed(second)
    assert second.entries[-1][0]["what"] == "acceptance is in use by rfc/brouwer/2026-014"
    assert second.case.wake_at is None
    first.answer("acceptance/1/approval", "approve")
    first.enter()
    assert "production/1/told" in first.step_names(), first.gate("build/2/revision").question.texts["nl"][
        "about"
    ][2]
    assert service(vendor, "production", "/version")["version"] == "1.1.0"
    assert second.case.wake_at is not None
    second.enter()
    assert [gate.name for gate in second.open_gates()] == ["acceptance/1/approval"]
