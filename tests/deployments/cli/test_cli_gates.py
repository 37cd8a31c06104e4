"""`nakoming gate`: questions as they were put, and answers that came on paper."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from nakoming.agreement.local_time import local_date
from nakoming.records import answers, clock, documents, gates, links
from tests.deployments.cli.conftest import KEY, judged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.deployments.cli.conftest import Ended
    from tests.harness.installation import Walker

GATE = "judgement/choice"
INES = ("--person", "ines-verhoeven")
CHOICE = ("--verb", "choose", "--option", "generic", "--remark", "Meer klanten vragen dit.")


@pytest.fixture
def today(street: Walker) -> date:
    with street.records.read() as tx:
        return local_date(tx.now)


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "brief.pdf"
    path.write_bytes(b"%PDF-1.7\n%%EOF\n")
    return path


def test_a_question_is_shown_as_it_was_put(street: Walker, nakoming: Callable[..., Ended]) -> None:
    data = nakoming("gate", "show", KEY, GATE, "--json").data
    gate = street.gate(GATE)
    assert data["shown_digest"] == gate.shown_digest
    assert data["title"] == gate.question.texts["en"]["title"]
    assert list(data["verbs"]) == ["choose"]
    assert list(data["options"]) == ["specific", "generic"]
    (asked,) = data["asked"]
    assert (asked["person"], asked["mail"]) == ("vendor:ines-verhoeven", "queued")
    dutch = nakoming("gate", "show", KEY, GATE, "--language", "nl").out
    assert dutch.startswith(gate.question.texts["nl"]["title"])


def test_no_link_and_no_token_is_ever_printed(street: Walker, nakoming: Callable[..., Ended]) -> None:
    with street.records.read() as tx:
        (link,) = links.of_gate(tx, street.gate(GATE).id)
        token = links.token(street.records.keys, link.id, link.generation)
    for words in (("gate", "show", KEY, GATE), ("gate", "list"), ("case", "show", KEY)):
        for more in ((), ("--json",)):
            out = nakoming(*words, *more).out
            assert token not in out
            assert "/q/" not in out


def test_an_answer_by_letter_is_bound_to_what_was_shown_and_marked(
    street: Walker, nakoming: Callable[..., Ended], today: date, letter: Path
) -> None:
    came = ("--via", "letter", "--received-on", today, "--scan", letter, "--entered-by", "Noor Bakker")
    data = nakoming("gate", "answer", KEY, GATE, *INES, *CHOICE, *came, "--yes", "--json").data
    assert data["gate_state"] == "fulfilled"
    gate = street.gate(GATE)
    with street.records.read() as tx:
        (answer,) = answers.of_gate(tx, gate.id)
        (scan,) = documents.listed(tx, "brouwer")
    assert (answer.via, answer.option) == ("letter", "generic")
    assert scan.name == "brief.pdf"
    chain, _, number = data["evidence"].partition(":")
    proof = nakoming("evidence", "show", chain, number, "--json").data
    assert proof["event"] == "gate:question:answered"
    assert proof["payload"]["via"] == "letter"
    assert proof["payload"]["shown"] == gate.shown_digest
    assert proof["payload"]["origin"] == {
        "entered_by": "Noor Bakker",
        "received_on": today.isoformat(),
        "scan": scan.id,
        "scan_sha256": scan.sha256,
    }
    assert street.enter() is None
    assert [each.name for each in street.open_gates()] == ["judgement/release"]


def test_facts_and_documents_are_delivered_by_telephone(
    street: Walker, nakoming: Callable[..., Ended], today: date, letter: Path
) -> None:
    judged(street, "specific")
    words = ("gate", "answer", KEY, "quote/delivery", "--person", "vendor:lotte-mulder", "--verb", "deliver")
    came = ("--via", "telephone", "--received-on", today, "--yes", "--json")
    data = nakoming(*words, "--fact", "amount=1250.00", "--document", letter, *came).data
    assert data["entered_by"] == "sanne"
    with street.records.read() as tx:
        (answer,) = answers.of_gate(tx, street.gate("quote/delivery").id)
    assert answer.facts == {"amount": "1250.00"}
    assert len(answer.documents) == 1
    wrong = nakoming(*words, "--fact", "1250.00", *came)
    assert wrong.err == "'1250.00' is no fact; allowed: name=value, such as amount=1250.00. [NK7154]\n"


def test_what_is_asked_is_shown_and_a_person_says_yes(
    street: Walker, nakoming: Callable[..., Ended], today: date
) -> None:
    words = ("gate", "answer", KEY, GATE, *INES, *CHOICE, "--via", "telephone", "--received-on", today)
    refused = nakoming(*words, typed="n\n")
    assert refused.status == 2
    assert refused.err.endswith(
        "Nothing was recorded: say yes after reading what is asked, or give --yes (and --json) beforehand. "
        "[NK7157]\n"
    )
    assert street.gate(GATE).question.texts["nl"]["title"] in refused.out
    assert nakoming(*words, typed="").status == 2
    assert street.gate(GATE).state == "open"
    agreed = nakoming(*words, typed="y\n")
    assert agreed.status == 0, agreed.err
    assert "Record that Ines Verhoeven answered 'generic'?" in agreed.err
    assert street.gate(GATE).state == "fulfilled"
    assert "nothing has changed" in nakoming(*words, "--yes").out


def test_an_answer_cannot_have_come_before_the_question_or_tomorrow(
    street: Walker, nakoming: Callable[..., Ended], today: date
) -> None:
    words = ("gate", "answer", KEY, GATE, *INES, *CHOICE, "--via", "telephone", "--yes")
    for days, why in ((-1, "the question was not asked yet"), (1, "that day is still to come")):
        on = today + timedelta(days=days)
        ended = nakoming(*words, "--received-on", on)
        assert (ended.status, ended.err) == (
            2,
            f"An answer received on {on} is not possible: {why}; allowed: {today} to {today}. [NK7155]\n",
        )
    assert street.gate(GATE).state == "open"


def test_what_the_question_does_not_take_is_refused_in_a_sentence(
    street: Walker, nakoming: Callable[..., Ended], today: date
) -> None:
    del street
    came = ("--via", "telephone", "--received-on", today, "--yes")
    start = ("gate", "answer", KEY, GATE)
    sentences = {
        (*start, "--person", "joost-smit", *CHOICE, *came): (
            "joost-smit was not asked 'judgement/choice'; asked were: vendor:ines-verhoeven. [NK7153]\n"
        ),
        (*start, *INES, "--verb", "approve", *came): (
            "'approve' is not possible here; allowed: choose. [NK2010]\n"
        ),
        (*start, *INES, "--verb", "choose", "--option", "both", *came): (
            "The choice 'both' is not possible here; allowed: specific, generic. [NK2010]\n"
        ),
        ("gate", "answer", KEY, "quote/approval", *INES, *CHOICE, *came): (
            f"Case {KEY} asked no question 'quote/approval'; asked were: judgement/choice. [NK7167]\n"
        ),
        (*start, *INES, *CHOICE, "--via", "letter", "--received-on", today, "--yes"): (
            "An answer by letter needs what came: name the file with --scan FILE. [NK7156]\n"
        ),
    }
    for words, sentence in sentences.items():
        assert nakoming(*words).err == sentence


def test_a_new_link_kills_the_old_one(street: Walker, nakoming: Callable[..., Ended]) -> None:
    gate = street.gate(GATE)
    with street.records.read() as tx:
        (before,) = links.of_gate(tx, gate.id)
    old = links.token(street.records.keys, before.id, before.generation)
    data = nakoming("gate", "reissue", KEY, GATE, *INES, "--json").data
    assert data == {"case": KEY, "gate": GATE, "person": "vendor:ines-verhoeven", "link_number": 2}
    with street.records.read() as tx:
        assert links.resolve(tx, old) is None
    assert [mail.kind for mail in street.mails("link_reissued")] == ["link_reissued"]


def test_a_revoked_question_takes_nothing_more(street: Walker, nakoming: Callable[..., Ended]) -> None:
    assert nakoming("gate", "revoke", KEY, GATE, "--reason", "Verkeerd gesteld.").status == 0
    assert street.gate(GATE).state == "revoked"
    for act in (("revoke", KEY, GATE, "--reason", "Weer."), ("reissue", KEY, GATE, *INES)):
        done = "revoked" if act[0] == "revoke" else "reissued"
        assert nakoming("gate", *act).err == (
            f"The question '{GATE}' of {KEY} is revoked; only an open one can be {done}. [NK7168]\n"
        )


def test_open_questions_are_listed_by_deadline(street: Walker, nakoming: Callable[..., Ended]) -> None:
    (row,) = nakoming("gate", "list", "--json").data
    assert (row["case"], row["gate"], row["waits_for"]) == (KEY, GATE, ["Ines Verhoeven"])
    assert nakoming("gate", "list", "--customer", "kestrel").out == "No question is open.\n"
    street.answer(GATE, "choose", option="specific", remark="Alleen hier.")
    assert nakoming("gate", "list").out == "No question is open.\n"


def test_an_answer_after_the_end_is_not_taken(
    street: Walker, nakoming: Callable[..., Ended], today: date
) -> None:
    judged(street, "specific")
    street.deliver("quote/delivery", amount="1250.00")
    street.enter()
    with street.records.write() as tx:
        clock.move(tx.connection, timedelta(days=40))
        gates.close_due(tx, street.gate("quote/approval").id)
    words = ("gate", "answer", KEY, "quote/approval", "--person", "mila-de-wit", "--verb", "approve")
    ended = nakoming(*words, "--via", "telephone", "--received-on", today, "--yes")
    assert ended.status == 1
    assert ended.err.endswith("an answer is no longer possible. [NK2007]\n")
