"""`nakoming case`: what waits, what happened, and the end of what was withdrawn."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from nakoming.records import cases, clock, outbox, reservations, schema, steps
from nakoming.records.errors import LeaseLost
from nakoming.records.owners import this_process
from tests.deployments.cli.conftest import KEY, judged

if TYPE_CHECKING:
    from collections.abc import Callable

    from nakoming.records.store import Records
    from tests.deployments.cli.conftest import Ended
    from tests.harness.installation import Walker


def test_what_a_case_waits_for_is_told_with_person_and_deadline(
    street: Walker, nakoming: Callable[..., Ended]
) -> None:
    (case,) = nakoming("case", "list", "--json").data
    assert (case["key"], case["state"], case["stage"]) == (KEY, "waiting", "judgement")
    (wait,) = case["waits"]
    assert (wait["what"], wait["for_whom"]) == ("judgement/choice", ["Ines Verhoeven"])
    due_by = street.gate("judgement/choice").due_by
    assert due_by is not None
    assert wait["until"] == due_by.isoformat()
    lines = nakoming("case", "list", "--customer", "brouwer").out.splitlines()
    assert len(lines) == 2
    assert KEY in lines[1]
    assert f"{due_by.astimezone():%Y}" in lines[1]
    assert nakoming("case", "list", "--customer", "kestrel").out == "No case is under way.\n"


def test_what_is_overdue_is_marked(street: Walker, nakoming: Callable[..., Ended]) -> None:
    assert "(overdue)" not in nakoming("case", "list").out
    with street.records.write() as tx:
        clock.move(tx.connection, timedelta(days=60))
    assert "(overdue)" in nakoming("case", "list").out
    assert "(overdue)" in nakoming("case", "show", KEY).out


def test_a_case_is_shown_with_all_that_happened_in_it(street: Walker, nakoming: Callable[..., Ended]) -> None:
    judged(street)
    data = nakoming("case", "show", KEY, "--json").data
    assert [gate["name"] for gate in data["gates"]] == ["judgement/choice", "judgement/release"]
    assert data["gates"][0]["answers"][0]["remark"] == "Meer klanten vragen dit."
    answered = [item for item in data["timeline"] if item["kind"] == "answer"]
    assert answered[0]["text"] == "vendor:ines-verhoeven answered generic by link: Meer klanten vragen dit."
    assert answered[0]["evidence"].startswith("brouwer:")
    assert {"to Ines Verhoeven: queued"} <= {item["text"] for item in data["timeline"]}
    shown = nakoming("case", "show", KEY)
    assert shown.status == 0
    assert "Waits for" in shown.out
    assert answered[0]["evidence"] in shown.out


def test_signs_that_steer_a_terminal_are_not_printed(street: Walker, nakoming: Callable[..., Ended]) -> None:
    street.answer("judgement/choice", "choose", option="generic", remark="\x1b[2J\u202egone")
    out = nakoming("case", "show", KEY).out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "�[2J�gone" in out


def test_a_withdrawn_case_asks_nothing_more_and_tells_who_was_asked(
    street: Walker, nakoming: Callable[..., Ended]
) -> None:
    with street.records.write() as tx:
        lease = cases.acquire(tx, street.case.id, this_process())
        reservations.reserve(tx, lease, "environment/brouwer/acceptance")
    data = nakoming("case", "withdraw", KEY, "--reason", "Niet meer nodig.", "--json").data
    assert data["told"] == ["vendor:ines-verhoeven"]
    (told,) = street.mails("notice")
    assert told.context["title"] == "Aanvraag 2026-014 is ingetrokken"
    assert told.context["paragraphs"][1] == "Reden: Niet meer nodig."
    assert street.open_gates() == []
    assert (street.case.state, street.case.outcome) == ("closed", "withdrawn")
    with street.records.write() as tx, pytest.raises(LeaseLost):
        cases.fence(tx, lease)
    with street.records.read() as tx:
        assert outbox.of_case(tx, street.case.id)
        assert tx.connection.execute(select(func.count()).select_from(schema.reservations)).scalar_one() == 0
    assert nakoming("case", "list").out == "No case is under way.\n"
    assert "closed: withdrawn" in nakoming("case", "list", "--all").out
    shown = nakoming("case", "show", KEY, "--json").data
    assert "case:run:withdrawn" in {item["name"] for item in shown["timeline"]}


def test_what_cannot_be_withdrawn_says_why(street: Walker, nakoming: Callable[..., Ended]) -> None:
    ended = nakoming("case", "withdraw", KEY, "--reason", "  ")
    assert (ended.status, ended.err) == (
        2,
        "Withdrawing a case needs its reason; allowed: --reason with at most 1000 characters. [NK7158]\n",
    )
    assert street.case.state == "waiting"
    assert nakoming("case", "withdraw", KEY, "--reason", "Klaar.").status == 0
    ended = nakoming("case", "withdraw", KEY, "--reason", "Klaar.")
    assert (ended.status, ended.err) == (
        1,
        f"Case {KEY} ended (withdrawn) and takes no further work. [NK2019]\n",
    )


def test_an_unknown_customer_is_not_an_empty_list(records: Records, nakoming: Callable[..., Ended]) -> None:
    del records
    assert nakoming("case", "list", "--customer", "acme").status == 4


def test_what_a_command_printed_is_counted_and_printed_when_asked_for(
    street: Walker, nakoming: Callable[..., Ended]
) -> None:
    assert "Output kept" not in nakoming("case", "show", KEY).out
    with street.records.write() as tx:
        lease = cases.acquire(tx, street.case.id, this_process())
        made = {"ok": False, "output": "unpacking\n\x1b[2Jthe disk is worn\n"}
        steps.record(tx, lease, "production/1/install", "0" * 64, made, output_digest="0" * 64)
        cases.wait(tx, lease, [])
    assert nakoming("case", "show", KEY, "--json").data["output_bytes"] == {"production/1/install": 31}
    shown = nakoming("case", "show", KEY).out
    assert "31 bytes" in shown
    assert "the disk is worn" not in shown
    printed = nakoming("case", "show", KEY, "--output", "production/1/install")
    assert printed.out == "unpacking\n�[2Jthe disk is worn\n"
    unknown = nakoming("case", "show", KEY, "--output", "test/1/run")
    assert unknown.status == 4
    assert "kept no output of step 'test/1/run'; it kept that of: production/1/install." in unknown.err
