"""Decisions: taken once, told at once, taken back in time, and refused with a reason."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest
from sqlalchemy import select, update

from nakoming.agreement.gate_rules import Kind
from nakoming.portal import decision
from nakoming.records import answers, cases, gates, links, outbox, schema, steps
from nakoming.records.errors import GateReopened
from tests.harness.portal_server import (
    ANNA,
    BEN,
    Office,
    Visitor,
    evidence_events,
    filled_in,
    hidden,
    office,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nakoming.records.gate_model import Gate
    from nakoming.records.store import Tx

    Visit = Callable[..., Visitor]

T = TypeVar("T")

# What follows does not depend on the database.
ON_ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Make the calls at the same instant."""
    gate = threading.Barrier(len(calls))

    def start(call: Callable[[], T]) -> T:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(start, calls))


def given(at: Office, gate: Gate) -> list[tuple[str, str]]:
    with at.records.read() as tx:
        return [
            (answer.person, answer.verb)
            for answer in answers.of_gate(tx, gate.id)
            if answer.retracted_at is None
        ]


def test_decision_takes_two_screens_and_the_receipt_tells_its_evidence(at: Office, visit: Visit) -> None:
    gate = at.ask()
    anna = visit(gate)
    receipt = anna.send(remark="Prima zo.")
    assert receipt.status_code == 200
    assert "Uw antwoord is vastgelegd" in receipt.text
    number = 1 + evidence_events(at).index("gate:question:answered")
    assert f"acme-{number}<" in receipt.text
    for told in ("Anna de Vries", "Goedkeuren", "Prima zo.", "Wij beginnen met bouwen.", "terugnemen"):
        assert told in receipt.text
    assert at.gate(gate.id).state == "fulfilled"
    assert at.woken == [gate.case_id]


def test_evidence_holds_who_from_where_and_what_was_shown(at: Office, visit: Visit) -> None:
    gate = at.ask()
    visit(gate).send()
    with at.records.read() as tx:
        answer = answers.of_gate(tx, gate.id)[0]
        link = next(each for each in links.of_gate(tx, gate.id) if each.contact.person == ANNA.person)
        row = tx.connection.execute(schema.answers.select().where(schema.answers.c.id == answer.id)).one()
        origin = tx.unseal("acme", f"answer/{answer.id}/origin", row.origin_sealed)
    assert (row.person, row.shown_digest, row.link_id) == (ANNA.person, gate.shown_digest, link.id)
    assert origin["address"] == "127.0.0.1"
    assert origin["browser"].startswith("python-httpx")
    assert link.opened_at is not None


def test_same_answer_again_shows_the_same_receipt(at: Office, visit: Visit) -> None:
    gate = at.ask()
    anna = visit(gate)
    first, again = anna.send(), anna.send()
    assert again.status_code == 200
    assert "er is niets veranderd" in again.text
    line = next(part for part in first.text.splitlines() if 'class="number"' in part)
    assert line in again.text
    assert evidence_events(at).count("gate:question:answered") == 1
    assert at.woken == [gate.case_id]


def test_another_answer_must_wait_until_the_first_is_taken_back(at: Office, visit: Visit) -> None:
    gate = at.ask()
    anna = visit(gate)
    receipt = anna.send()
    refused = anna.send("refuse")
    assert refused.status_code == 409
    assert "Neem dat antwoord eerst terug" in refused.text
    back = anna.take_back(receipt.text)
    assert back.history[0].status_code == 303
    assert "Uw antwoord is teruggenomen" in back.text
    assert at.gate(gate.id).state == "open"
    anna.page = back.text
    assert anna.send("refuse").status_code == 200
    assert at.gate(gate.id).state == "defeated"
    assert at.woken == [gate.case_id] * 3


def test_answer_that_was_used_cannot_be_taken_back(at: Office, visit: Visit) -> None:
    gate = at.ask()
    anna = visit(gate)
    receipt = anna.send()
    with at.records.write() as tx:
        gates.consume(tx, at_lease(at, gate), gate.name, by="build/1/start")
    back = anna.take_back(receipt.text)
    assert "kon niet worden teruggenomen" in back.text
    assert "Antwoord terugnemen" not in back.text
    assert given(at, gate) == [(ANNA.person, "approve")]


def at_lease(at: Office, gate: Gate) -> cases.Lease:
    with at.records.read() as tx:
        case = cases.get(tx, gate.case_id)
    return cases.Lease(case.id, case.customer, case.key, str(case.lease_owner), case.lease_epoch)


@ON_ONE_DATABASE
@pytest.mark.parametrize(
    ("damage", "status"),
    [({"form": ""}, 403), ({"form": "0" * 64}, 403), ({"word": ""}, 400), ({"word": "verkeerd"}, 400),
     ({"seal": ""}, 400), ({"seal": "nl.9999999999.00.00"}, 400), ({"answer": ""}, 422),
     ({"answer": "discharge"}, 422), ({"answer": "approve:week_50"}, 422)],
)  # fmt: skip
def test_form_that_is_not_right_comes_back_with_what_was_typed(
    at: Office, visit: Visit, damage: dict[str, str], status: int
) -> None:
    gate = at.ask()
    anna = visit(gate)
    filled = filled_in(anna.page, remark="Let op <de> 'kleur' & meer.") | damage
    refused = anna.client.post(anna.path, data=filled)
    assert refused.status_code == status
    assert 'role="alert"' in refused.text
    assert "Let op &lt;de&gt; &#39;kleur&#39; &amp; meer." in refused.text
    assert ("checked" in refused.text) == ("answer" not in damage)
    assert given(at, gate) == []
    anna.page = refused.text
    assert anna.send().status_code == 200


@ON_ONE_DATABASE
def test_word_ends_after_two_hours_and_a_new_one_is_shown(at: Office, visit: Visit) -> None:
    gate = at.ask()
    anna = visit(gate)
    at.move(timedelta(hours=2, seconds=2))
    late = anna.send()
    assert late.status_code == 400
    assert "Het woord was verlopen" in late.text
    anna.page = late.text
    assert anna.send().status_code == 200


def test_changed_documents_are_not_decided_on_and_a_new_link_goes_out(at: Office, visit: Visit) -> None:
    gate = at.ask()
    anna = visit(gate)
    with at.records.write() as tx:
        tx.connection.execute(
            update(schema.gates).where(schema.gates.c.id == gate.id).values(shown_digest="f" * 64)
        )
    refused = anna.send()
    assert refused.status_code == 409
    assert "nieuwe link" in refused.text
    with at.records.read() as tx:
        mails = [mail for mail in outbox.of_gate(tx, gate.id) if mail.kind == "link_reissued"]
    assert [(mail.recipient.person, mail.generation) for mail in mails] == [(ANNA.person, 2)]
    assert anna.look().status_code == 404
    assert given(at, gate) == []


@ON_ONE_DATABASE
def test_question_that_closed_meanwhile_says_what_was_decided(at: Office, visit: Visit) -> None:
    gate = at.ask()
    anna, ben = visit(gate, ANNA), visit(gate, BEN)
    anna.send("refuse")
    late = ben.send()
    assert late.status_code == 410
    assert "The answer was: Refuse, given by Anna de Vries." in late.text
    assert "was not recorded" in late.text


def test_objection_reopens_an_approval_until_it_is_used(at: Office, visit: Visit) -> None:
    gate = at.ask()
    anna, ben = visit(gate, ANNA), visit(gate, BEN)
    anna.send()
    page = ben.look().text
    assert 'value="approve"' not in page
    assert ben.send("request_changes", remark="Wait: the week is missing.").status_code == 200
    assert at.gate(gate.id).state == "defeated"


@ON_ONE_DATABASE
def test_deadline_that_passed_closes_the_form(at: Office, visit: Visit) -> None:
    due = at.now() + timedelta(minutes=5)
    gate = at.ask(due_by=due, closes_at_deadline=True)
    anna = visit(gate)
    at.set_to(due + timedelta(milliseconds=5))
    late = anna.send()
    assert late.status_code == 410
    assert "Er is niet op tijd geantwoord." in late.text
    assert "answer" not in hidden(anna.look().text)


def test_person_who_may_not_answer_sees_the_question_and_no_form(at: Office, visit: Visit) -> None:
    gate = at.ask(rule={"excluded": (ANNA.person,)})
    anna = visit(gate)
    assert anna.first.status_code == 200
    filled = filled_in(visit(gate, BEN).page)
    assert anna.client.post(anna.path, data=filled).status_code == 403
    assert given(at, gate) == []


@ON_ONE_DATABASE
def test_choice_offers_each_option_as_an_answer(at: Office, visit: Visit) -> None:
    gate = at.ask(kind=Kind.CHOICE, rule={"options": ("week_50", "week_51")})
    anna = visit(gate)
    assert anna.send("choose:week_52").status_code == 422
    receipt = anna.send("choose:week_51")
    assert "Week 51" in receipt.text
    assert at.gate(gate.id).option == "week_51"


def test_double_click_is_one_answer_with_one_receipt(at: Office, visit: Visit) -> None:
    gate = at.ask()
    anna = visit(gate)
    filled = filled_in(anna.page)
    pressed = at_once(*[lambda: anna.client.post(anna.path, data=filled)] * 4)
    assert [each.status_code for each in pressed] == [200] * 4
    numbers = {part for each in pressed for part in each.text.splitlines() if 'class="number"' in part}
    assert len(numbers) == 1
    assert given(at, gate) == [(ANNA.person, "approve")]
    assert at.woken == [gate.case_id]


def test_two_people_deciding_at_the_same_instant_give_one_outcome(at: Office, visit: Visit) -> None:
    for _ in range(5):
        gate = at.ask()
        anna, ben = visit(gate, ANNA), visit(gate, BEN)
        yes, no = filled_in(anna.page), filled_in(ben.page, "refuse")
        answered = at_once(
            lambda one=anna, form=yes: one.client.post(one.path, data=form),
            lambda one=ben, form=no: one.client.post(one.path, data=form),
        )
        # The refusal always counts: first, it closes the question; second, it reopens the approval.
        assert [each.status_code for each in answered] in ([200, 200], [410, 200])
        assert at.gate(gate.id).state == "defeated"


def race(at: Office, base: str, rounds: int) -> set[str]:
    """Answers of two people, and the closing, around the instant of the deadline, again and again."""
    outcomes = {
        one_race(at, base, before=timedelta(milliseconds=number * 13 % 90)) for number in range(rounds)
    }
    assert outcomes <= {"fulfilled", "defeated", "expired"}
    return outcomes


def one_race(at: Office, base: str, before: timedelta) -> str:
    due = at.now() + timedelta(minutes=5)
    gate = at.ask(due_by=due, closes_at_deadline=True, document=None)
    anna, ben = Visitor(base, at.path(gate, ANNA)), Visitor(base, at.path(gate, BEN))
    yes, no = filled_in(anna.page), filled_in(ben.page, "refuse")
    at.set_to(due - before)
    at_once(
        lambda: anna.client.post(anna.path, data=yes).status_code,
        lambda: ben.client.post(ben.path, data=no).status_code,
        lambda: close(at, gate),
    )
    at.set_to(due + timedelta(milliseconds=20))
    close(at, gate)
    check_outcome(at, gate, due)
    for person in (anna, ben):
        person.leave()
    return str(at.gate(gate.id).state)


def close(at: Office, gate: Gate) -> None:
    with at.records.write() as tx:
        gates.close_due(tx, gate.id)


def check_outcome(at: Office, gate: Gate, due: datetime) -> None:
    now = at.gate(gate.id)
    with at.records.read() as tx:
        stamped = [answer.at for answer in answers.of_gate(tx, gate.id)]
    assert all(stamp <= due for stamp in stamped)
    assert (now.state == "expired") == (not stamped)
    ended: Sequence[str] = [
        event for event in events_of(at, gate)
        if event in {"gate:question:fulfilled", "gate:question:defeated", "gate:question:expired"}
    ]  # fmt: skip
    # A refusal after an approval turns it over; nothing else ends a question twice.
    assert len(ended) == 1 or ended == ["gate:question:fulfilled", "gate:question:defeated"]
    if now.state == "expired":
        assert now.closed_at is not None
        assert now.closed_at > due


def events_of(at: Office, gate: Gate) -> list[str]:
    e = schema.evidence.c
    with at.records.read() as tx:
        query = select(e.event).where(e.about == f"gate:{gate.id}").order_by(e.seq)
        return [str(event) for event in tx.connection.execute(query).scalars()]


def test_deadline_at_that_instant_gives_one_outcome_within_its_window(at: Office, base: str) -> None:
    race(at, base, 8)


@pytest.mark.long
def test_deadline_at_that_instant_ten_thousand_times(postgres_url: str, tmp_path: Path) -> None:
    with office(postgres_url, tmp_path) as at, serving(at) as base:
        assert race(at, base, 10_000) >= {"defeated", "expired"}


def test_wake_comes_after_the_commit_and_its_failure_changes_nothing(
    at: Office, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    told = threading.Event()

    def wake(case_id: str) -> None:
        with at.records.read() as tx:
            seen.extend(str(gate.state) for gate in gates.of_case(tx, case_id))
        told.set()
        raise ConnectionError("nobody home")

    with serving(at, wake=wake) as base:
        receipt = Visitor(base, at.path(at.ask())).send()
        assert told.wait(5)
    assert receipt.status_code == 200
    assert seen == ["fulfilled"]
    assert "failed (ConnectionError)" in capfd.readouterr().err


def test_wake_may_be_a_coroutine_and_the_answer_does_not_wait_for_it(on_sqlite: Office) -> None:
    released, woken = threading.Event(), threading.Event()

    async def wake(case_id: str) -> None:
        assert case_id
        await asyncio.to_thread(released.wait, 10)
        woken.set()

    with serving(on_sqlite, wake=wake) as base:
        assert Visitor(base, on_sqlite.path(on_sqlite.ask())).send().status_code == 200
        assert not woken.is_set()
        released.set()
        assert woken.wait(5)


@ON_ONE_DATABASE
def test_form_sent_by_another_site_is_refused(at: Office, visit: Visit) -> None:
    gate = at.ask()
    anna = visit(gate)
    refused = anna.client.post(anna.path, data=filled_in(anna.page), headers={"Sec-Fetch-Site": "cross-site"})
    assert refused.status_code == 403
    assert given(at, gate) == []


def test_records_out_of_reach_is_said_so_and_nothing_is_recorded(on_sqlite: Office) -> None:
    gate = on_sqlite.ask()
    with serving(on_sqlite) as base:
        anna = Visitor(base, on_sqlite.path(gate))
        with on_sqlite.records.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE links RENAME TO away")
        down = anna.send()
        with on_sqlite.records.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO links")
        assert down.status_code == 503
        assert down.headers["retry-after"] == "30"
        assert "Er is niets vastgelegd" in down.text
        assert down.headers["content-security-policy"].startswith("default-src 'none'")
        assert anna.send().status_code == 200


def test_objection_at_the_instant_at_which_the_approval_is_used_comes_before_it_or_too_late(
    at: Office, visit: Visit
) -> None:
    for _ in range(6):
        gate = at.ask()
        anna, ben = visit(gate, ANNA), visit(gate, BEN)
        ben_form = filled_in(ben.page, "refuse")
        anna.send()
        lease = at.lease(gate.case_id)
        objected, begun = at_once(
            lambda one=ben, form=ben_form: one.client.post(one.path, data=form).status_code,
            lambda name=gate.name, held=lease: begin_step(at, held, name),
        )
        now = at.gate(gate.id)
        assert (objected, begun, now.state) in {(200, False, "defeated"), (410, True, "fulfilled")}
        assert (now.consumed_by is not None) == begun


def begin_step(at: Office, lease: cases.Lease, gate: str) -> bool:
    """Commit the intent of the step that stands on the gate; False when the gate is not fulfilled."""

    def begin(tx: Tx) -> None:
        steps.begin(
            tx,
            lease,
            "build/1",
            "0" * 64,
            doubt=steps.Doubt.REPEAT,
            timeout=timedelta(minutes=1),
            consumes=[gate],
        )

    try:
        decision.writing(at.records, begin)
    except GateReopened:
        return False
    return True
