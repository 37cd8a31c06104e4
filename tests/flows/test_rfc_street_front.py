"""The front of the street: who may ask, what a quote says and until when, which dates can be planned."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from flows.rfc_street import PROCESS
from nakoming.agreement.local_time import local_date
from nakoming.records import gates, schema
from nakoming.records.errors import GateClosed, NotAsked
from nakoming.records.events import Event
from nakoming.records.evidence import SALT_BYTES, sealed_as
from nakoming.records.gate_model import GateState
from tests.harness.cut_runs import CutError
from tests.harness.installation import Walker
from tests.harness.street import (
    GIVEN,
    agreed_until_build,
    beta_installed,
    judged,
    let_it_be,
    papers_agreed,
    service,
    street,
)

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.records.gate_model import Gate
    from nakoming.records.store import Records
    from tasks.case_run import CaseRun, Outcome

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
FEMI = "femi.adeyemi@kestrel-composites.example"


def of_kestrel(records: Records) -> Walker:
    return Walker(records, PROCESS, "kestrel", "K-7", GIVEN | {"reference": "K-7", "requester": FEMI})


def about(gate: Gate, language: str = "nl") -> dict[str, str]:
    return dict(gate.question.texts[language]["about"])


def quoted(walker: Walker, **facts: str) -> Gate:
    """A specific request with this quote, before the customer."""
    judged(walker)
    walker.deliver("quote/delivery", amount="1250.00", **facts)
    walker.enter()
    return walker.gate("quote/approval")


def planned(walker: Walker, on: date) -> None:
    """The release manager's first proposal, after the quote was approved."""
    quoted(walker)
    walker.answer("quote/approval", "approve")
    walker.enter()
    walker.deliver("planning/1/proposal", planned_on=on.isoformat())
    walker.enter()


def evidence(walker: Walker, event: Event) -> list[tuple[str, dict[str, Any]]]:
    """The clause and the payload of each evidence of this event in the case."""
    e, p = schema.evidence.c, schema.evidence_payloads.c
    both = schema.evidence.join(schema.evidence_payloads, (p.chain == e.chain) & (p.seq == e.seq))
    query = select(e.chain, e.seq, e.clause, p.payload_sealed).select_from(both).order_by(e.seq)
    with walker.records.read() as tx:
        rows = tx.connection.execute(query.where(e.case_id == walker.case.id, e.event == str(event))).all()
    keys = walker.records.keys
    return [
        (
            row.clause,
            json.loads(keys.open(row.chain, sealed_as(row.chain, row.seq), row.payload_sealed)[SALT_BYTES:]),
        )
        for row in rows
    ]


# Intake


@pytest.mark.clause("S-2.2.1")
def test_a_requester_is_listed_until_the_last_day(records: Records) -> None:
    let_it_be(records, datetime(2027, 6, 30, 21, 59, tzinfo=UTC))  # 23:59 in Amsterdam
    walker = of_kestrel(records)
    walker.enter()
    assert [gate.name for gate in walker.open_gates()] == ["judgement/choice"]


@pytest.mark.clause("S-2.2.1")
@pytest.mark.parametrize(
    ("verb", "outcome", "asked"), [("refuse", "not taken up", []), ("approve", None, ["judgement/choice"])]
)
def test_an_expired_requester_is_asked_about_and_goes_no_further_unconfirmed(
    records: Records, verb: str, outcome: str | None, asked: list[str]
) -> None:
    let_it_be(records, datetime(2027, 6, 30, 22, 1, tzinfo=UTC))  # 00:01 on 1 July in Amsterdam
    walker = of_kestrel(records)
    assert walker.enter() is None
    (gate,) = walker.open_gates()
    assert gate.name == "intake/confirmation"
    assert [seat.persons for seat in gate.rule.seats] == [("kestrel:greta-holm",)]
    assert FEMI in gate.question.texts["en"]["ask"]
    walker.answer("intake/confirmation", verb)
    assert walker.enter() == outcome
    assert [gate.name for gate in walker.open_gates()] == asked
    assert ("judgement/1/stage" in walker.step_names()) is (verb == "approve")


# Judgement


@pytest.mark.clause("S-2.3.6")
def test_the_customer_is_told_in_which_release_a_generic_request_comes(records: Records) -> None:
    let_it_be(records, MONDAY)
    walker = street(records)
    judged(walker, release="2027.03")
    told = [mail for mail in walker.mails("notice") if "2027.03" in mail.context["title"]]
    assert {mail.recipient.person for mail in told} == {"brouwer:joost-smit"}
    assert told[0].context["title"] == "2026-014 komt in release 2027.03"
    assert any("Zo werkt deze klant." in paragraph for paragraph in told[0].context["paragraphs"])
    assert [gate.name for gate in walker.open_gates()] == ["requirement-analysis/1/delivery"]


# Quote


@pytest.mark.clause("S-2.3.4")
@pytest.mark.parametrize(
    ("facts", "days"), [({}, 30), ({"validity_days": "14"}, 14), ({"validity_days": "999"}, 999)]
)
def test_a_quote_is_valid_as_long_as_was_given_or_as_agreed(
    records: Records, facts: dict[str, str], days: int
) -> None:
    let_it_be(records, MONDAY)
    walker = street(records)
    gate = quoted(walker, **facts)
    valid_until = date(2026, 11, 23) + timedelta(days=days)
    # 24:00 in Amsterdam of the last day.
    assert gate.due_by is not None
    assert local_date(gate.due_by - timedelta(seconds=1)) == valid_until
    assert local_date(gate.due_by) == valid_until + timedelta(days=1)
    ((clause, proven),) = evidence(walker, Event.RFC_QUOTED)
    assert (clause, proven["amount"]) == ("S-2.3.3", "1250.00")
    assert proven["valid_until"] == valid_until.isoformat()
    let_it_be(records, gate.due_by)
    with pytest.raises(GateClosed):
        walker.answer("quote/approval", "approve")
    with records.write() as tx:
        gates.close_due(tx, gate.id)
    assert walker.enter() == "no order"
    assert walker.gate("quote/approval").state == GateState.EXPIRED


def test_the_customer_reads_until_when_the_quote_is_valid(records: Records) -> None:
    let_it_be(records, MONDAY)
    gate = quoted(street(records), validity_days="8")
    assert about(gate)["Geldig tot en met"] == "dinsdag 1 december 2026"
    assert about(gate, "en")["Valid until"] == "Tuesday 1 December 2026"
    assert "geldig tot en met dinsdag 1 december 2026" in gate.question.texts["nl"]["ask"]


@pytest.mark.parametrize("typed", ["0", "-3", "1000", "30 dagen", "2026-01-01", "\u0663"])
def test_a_validity_that_is_no_number_of_days_is_refused_in_one_sentence(
    records: Records, typed: str
) -> None:
    walker = street(records)
    judged(walker)
    with pytest.raises(NotAsked) as refused:
        walker.deliver("quote/delivery", amount="10.00", validity_days=typed)
    assert str(refused.value) == (
        f"'{typed}' as 'validity_days' is not possible here; allowed: a whole number of days from 1 to 999."
    )


@pytest.mark.clause("S-2.3.4")
def test_a_validity_of_the_customers_own_agreement_is_not_shortened(records: Records) -> None:
    let_it_be(records, MONDAY)
    walker = of_kestrel(records)
    judged(walker)
    label = walker.gate("quote/delivery").question.texts["en"]["fields"]["validity_days"]
    assert label == "Validity in days, at least 45 (empty: 45)"
    with pytest.raises(NotAsked, match=r"'44' as 'validity_days' .* allowed: 45 to 999 days"):
        walker.deliver("quote/delivery", amount="10.00", validity_days="44")
    walker.deliver("quote/delivery", amount="10.00", validity_days="45")


def test_a_quote_that_went_out_before_its_validity_was_kept_takes_that_of_the_agreement(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_it_be(records, MONDAY)
    walker = street(records)
    judged(walker)
    walker.deliver("quote/delivery", amount="1250.00")

    def as_before(case: CaseRun, quote: Outcome) -> None:
        payload = {"amount": quote.facts["amount"], "documents": quote.documents}
        case.prove("quote/evidence", Event.RFC_QUOTED, clause="S-2.3.3", **payload)
        raise CutError

    with monkeypatch.context() as earlier:
        earlier.setattr("flows.rfc.quote._quoted", as_before)
        with pytest.raises(CutError):
            walker.enter()
    walker.enter()
    assert about(walker.gate("quote/approval"))["Geldig tot en met"] == "woensdag 23 december 2026"


# Planning


@pytest.mark.clause("S-2.3.4")
def test_the_release_manager_sees_the_dates_that_can_be_kept(on_sla_terms: Records) -> None:
    let_it_be(on_sla_terms, MONDAY + timedelta(days=1))
    walker = street(on_sla_terms)
    quoted(walker)
    walker.answer("quote/approval", "approve")
    walker.enter()
    # The beta for Sat 5 December had to stand on Mon 23 November.
    assert about(walker.gate("planning/1/proposal"))["Eerstvolgende productiedata"] == (
        "zaterdag 2 januari 2027 (beta uiterlijk donderdag 17 december 2026); "
        "zaterdag 6 februari 2027 (beta uiterlijk maandag 25 januari 2027); "
        "zaterdag 6 maart 2027 (beta uiterlijk maandag 22 februari 2027)"
    )


@pytest.mark.parametrize(
    ("on", "why"),
    [
        (date(2026, 11, 22), "De voorgestelde datum, zondag 22 november 2026, is al voorbij."),
        (date(2026, 12, 9), "Op woensdag 9 december 2026 gaat geen productievenster open."),
    ],
)
def test_a_date_that_cannot_be_kept_goes_back_without_the_customer(
    on_sla_terms: Records, on: date, why: str
) -> None:
    let_it_be(on_sla_terms, MONDAY)
    walker = street(on_sla_terms)
    planned(walker, on)
    (gate,) = walker.open_gates()
    assert gate.name == "planning/2/proposal"
    assert about(gate)["Waarom opnieuw"] == why
    assert not any(name.startswith("planning/1/approval") for name in walker.step_names())
    walker.deliver("planning/2/proposal", planned_on="2026-12-05")
    walker.enter()
    assert [gate.name for gate in walker.open_gates()] == ["planning/2/approval"]


def test_a_date_of_today_is_judged_on_the_day_it_was_proposed(records: Records) -> None:
    let_it_be(records, MONDAY)
    walker = street(records)
    planned(walker, date(2026, 11, 23))
    let_it_be(records, MONDAY + timedelta(days=3))
    walker.enter()
    walker.answer("planning/1/approval", "approve")
    walker.enter()
    assert [gate.name for gate in walker.open_gates()] == ["requirement-analysis/1/delivery"]


def test_a_date_the_customer_was_asked_about_before_stands(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a case under way from before such dates went back."""
    let_it_be(records, MONDAY)
    walker = street(records)
    with monkeypatch.context() as earlier:
        earlier.setattr("flows.rfc.planning._not_kept", lambda *_: None)
        planned(walker, date(2026, 11, 1))
    walker.enter()
    walker.answer("planning/1/approval", "approve")
    walker.enter()
    assert [gate.name for gate in walker.open_gates()] == ["requirement-analysis/1/delivery"]


def accepted_on_sla_terms(records: Records, at: datetime) -> Walker:
    """Planned for Saturday 5 December, beta installed in time, accepted at this instant."""
    let_it_be(records, MONDAY)
    walker = street(records)
    agreed_until_build(walker)
    assert evidence(walker, Event.RFC_PLANNED) == [("S-2.3.4", {"planned_on": "2026-12-05"})]
    beta_installed(walker)
    let_it_be(records, at)
    walker.answer("acceptance/1/approval", "approve")
    walker.enter()
    return walker


@pytest.mark.clause("S-2.3.4")
def test_production_in_the_window_agreed_is_no_breach(vendor: Path, on_sla_terms: Records) -> None:
    walker = accepted_on_sla_terms(on_sla_terms, MONDAY + timedelta(days=1))
    let_it_be(on_sla_terms, datetime(2026, 12, 5, 15, 0, 1, tzinfo=UTC))
    walker.enter()
    assert service(vendor, "production", "/version")["version"] == "1.1.0"
    assert [gate.name for gate in walker.open_gates()] == ["closing/delivery"]
    assert evidence(walker, Event.TERM_BREACHED) == []


@pytest.mark.clause("S-2.3.4")
def test_production_after_the_date_agreed_is_a_breach_and_goes_on(
    vendor: Path, on_sla_terms: Records
) -> None:
    # Wed 2 Dec 2026 is the last day to accept for Sat 5 Dec; this is Thursday.
    walker = accepted_on_sla_terms(on_sla_terms, datetime(2026, 12, 3, 9, tzinfo=UTC))
    let_it_be(on_sla_terms, datetime(2027, 1, 2, 15, 0, 1, tzinfo=UTC))
    walker.enter()
    assert service(vendor, "production", "/version")["version"] == "1.1.0"
    ((clause, breach),) = evidence(walker, Event.TERM_BREACHED)
    assert (clause, breach["agreed"]) == ("S-2.3.4", "2026-12-05")
    walker.deliver("closing/delivery", "Handleiding", description="Spoedcode op orders.")
    assert walker.enter() == "in production"


# A problem, to its end


@pytest.mark.clause("S-2.2.25")
def test_a_problem_goes_to_production_without_anybody_accepting(vendor: Path, records: Records) -> None:
    walker = street(records, kind="problem")
    walker.enter()
    papers_agreed(walker)
    walker.deliver("technical-specification/1/delivery", "technisch")
    walker.enter()
    walker.answer("technical-specification/1/approval", "approve")
    walker.enter()
    beta_installed(walker)
    assert service(vendor, "acceptance", "/version")["version"] == "1.1.0"
    assert service(vendor, "production", "/version")["version"] == "1.1.0"
    assert [gate.name for gate in walker.open_gates()] == ["closing/delivery"]
    walker.deliver("closing/delivery", "Handleiding", description="Opgelost.")
    assert walker.enter() == "in production"
    stages = [name.partition("/")[0] for name in walker.step_names() if name.endswith("/stage")]
    assert stages == [
        "intake",
        "requirement-analysis",
        "functional-specification",
        "technical-specification",
        "build",
        "test",
        "beta",
        "production",
        "closing",
    ]
