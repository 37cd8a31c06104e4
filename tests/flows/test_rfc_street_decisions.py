"""The street's decisions, walked in this process; installations are left to the tests with real services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nakoming.records import clock
from tests.harness.installation import installed
from tests.harness.street import street

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records


@pytest.fixture
def records(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    with installed(tmp_path / "home", database_url, monkeypatch) as found:
        yield found


@pytest.mark.clause("S-2.3.2a")
def test_an_authorised_request_goes_to_the_analyst(records: Records) -> None:
    walker = street(records)
    assert walker.enter() is None
    (gate,) = walker.open_gates()
    assert gate.name == "judgement/choice"
    assert gate.clause == "S-2.3.2a"
    assert gate.due_origin == "ours"


@pytest.mark.clause("S-2.2.1")
def test_a_stranger_is_asked_about_and_a_refusal_ends_it(records: Records) -> None:
    walker = street(records, requester="iemand@elders.example")
    assert walker.enter() is None
    (gate,) = walker.open_gates()
    assert gate.name == "intake/confirmation"
    assert "iemand@elders.example" in gate.question.texts["nl"]["ask"]
    walker.answer("intake/confirmation", "refuse")
    assert walker.enter() == "not taken up"
    (told,) = walker.mails("notice")
    assert told.recipient.person == "brouwer:joost-smit"


@pytest.mark.clause("S-2.3.3", "S-2.3.4")
def test_a_refused_quote_ends_the_request_before_anything_is_built(records: Records) -> None:
    walker = street(records)
    walker.enter()
    walker.answer("judgement/choice", "choose", option="specific", remark="Alleen Brouwer werkt zo.")
    walker.enter()
    walker.deliver("quote/delivery", amount="1250.00")
    walker.enter()
    (gate,) = walker.open_gates()
    assert gate.question.texts["nl"]["title"] == "Offerte van € 1.250,00 voor 2026-014"
    walker.answer("quote/approval", "refuse")
    assert walker.enter() == "no order"
    assert {mail.recipient.person for mail in walker.mails("notice")} == {
        "brouwer:joost-smit",
        "brouwer:mila-de-wit",
    }


def test_a_quote_that_nobody_answers_expires(records: Records) -> None:
    from datetime import timedelta

    from nakoming.records import gates

    walker = street(records)
    walker.enter()
    walker.answer("judgement/choice", "choose", option="specific", remark="Alleen Brouwer werkt zo.")
    walker.enter()
    walker.deliver("quote/delivery", amount="1250.00")
    walker.enter()
    with records.write() as tx:
        clock.move(tx.connection, timedelta(days=32))
    with records.write() as tx:
        gates.close_due(tx, walker.gate("quote/approval").id)
    assert walker.enter() == "no order"


def test_a_judgement_without_a_reason_is_not_taken(records: Records) -> None:
    walker = street(records)
    walker.enter()
    with pytest.raises(Exception, match="without a reason"):
        walker.answer("judgement/choice", "choose", option="specific")


@pytest.mark.clause("S-2.3.2b", "S-2.3.2c", "S-2.3.6")
def test_documents_go_round_until_the_customer_approves(records: Records) -> None:
    walker = street(records)
    walker.enter()
    walker.answer("judgement/choice", "choose", option="generic", remark="Meer klanten vragen dit.")
    walker.enter()
    walker.deliver("judgement/release", release="2027.03")
    walker.enter()
    walker.deliver("requirement-analysis/1/delivery", "eerste versie")
    walker.enter()
    shown = walker.gate("requirement-analysis/1/approval").documents
    walker.answer("requirement-analysis/1/approval", "request_changes", remark="De kleur ontbreekt.")
    walker.enter()
    again = walker.gate("requirement-analysis/2/delivery")
    assert ["Opmerkingen van de klant", "De kleur ontbreekt."] in again.question.texts["nl"]["about"]
    walker.deliver("requirement-analysis/2/delivery", "tweede versie")
    walker.enter()
    assert walker.gate("requirement-analysis/2/approval").documents != shown
    walker.answer("requirement-analysis/2/approval", "approve")
    walker.enter()
    assert [gate.name for gate in walker.open_gates()] == ["functional-specification/1/delivery"]


@pytest.mark.clause("S-2.2.25")
def test_a_problem_has_no_quote_and_a_technical_specification(records: Records) -> None:
    walker = street(records, kind="problem")
    walker.enter()
    for paper in ("requirement-analysis", "functional-specification", "technical-specification"):
        walker.deliver(f"{paper}/1/delivery", paper)
        walker.enter()
        walker.answer(f"{paper}/1/approval", "approve")
        walker.enter()
    assert [gate.name for gate in walker.open_gates()] == ["build/1/revision"]
