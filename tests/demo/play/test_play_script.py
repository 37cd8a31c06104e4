"""What the officers know: every question of the street they are asked has exactly one answer."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from demo.play import script
from demo.play.errors import RevisionRedError
from demo.play.page import Page
from demo.play.script import RULES, Reply, Story

QUESTIONS = Path(__file__).parents[3] / "tasks" / "texts" / "questions"
NOT_ASKED = {"doubt", "release", "restore_choice", "restore_kept"}
"""An operator's, that of a generic request, and those of a calamity."""
PAPERS = ("requirementanalyse", "functionele specificatie")
TITLES = sorted(
    yaml.safe_load(path.read_text(encoding="utf-8"))["nl"]["title"].replace("{document_nl}", paper)
    for path in QUESTIONS.glob("*.yaml")
    if path.stem not in NOT_ASKED
    for paper in PAPERS
)


def answered(title: str, shown: str = "", **about: str) -> Reply:
    facts = {name.replace("_", " "): value for name, value in about.items()}
    story = Story(script.read_request(), date(2026, 11, 23), lambda _: shown)
    reply = script.reply(Page(title=title, about=facts), story)
    assert reply is not None
    return reply


@pytest.mark.parametrize("title", dict.fromkeys(TITLES))
def test_each_question_of_the_street_has_one_answer(title: str) -> None:
    assert len([pattern for pattern, _ in RULES if re.match(pattern, title)]) == 1


def test_each_answer_belongs_to_a_question_of_the_street() -> None:
    unused = [pattern for pattern, _ in RULES if not any(re.match(pattern, title) for title in TITLES)]
    assert unused == []


def test_a_question_nobody_wrote_an_answer_to_is_left_alone() -> None:
    story = Story(script.read_request(), date(2026, 11, 23), lambda _: "")
    assert script.reply(Page(title="Verleent u décharge?"), story) is None


def test_the_first_specification_is_sent_back_and_the_second_approved() -> None:
    title = "Akkoord met de functionele specificatie?"
    first, second = answered(title, Versie="1"), answered(title, Versie="2")
    assert first.offer == "request_changes"
    assert "bestaande orders geen spoedcode" in first.remark
    assert second.offer == "approve"


def test_the_second_specification_is_another_document_than_the_first() -> None:
    title = "Lever: functionele specificatie"
    (first,) = answered(title, Opmerkingen_van_de_klant="–").papers
    (second,) = answered(title, Opmerkingen_van_de_klant="Graag anders.").papers
    assert first[0] == "functionele-specificatie-1.pdf"
    assert second[0] == "functionele-specificatie-2.pdf"
    assert first[1] != second[1]
    assert {content[:5] for _, content in (first, second)} == {b"%PDF-"}


def test_the_builder_mends_what_came_back_red() -> None:
    title = "Welke revisie is klaar om te bouwen?"
    assert answered(title, Waarom_opnieuw="–").facts == {"revision": "1.1-rc1"}
    assert answered(title, Waarom_opnieuw="1.1-rc1: 1 test is red").facts == {"revision": "1.1"}


def test_a_mended_revision_that_is_red_ends_the_play_instead_of_going_round() -> None:
    with pytest.raises(RevisionRedError, match=r"Revision 1\.1 of the demo's Suite should be green"):
        answered("Welke revisie is klaar om te bouwen?", Waarom_opnieuw="1.1: 3 of 40 tests failed")


def test_nobody_accepts_what_does_not_show_the_field() -> None:
    title = "Accepteert u “Spoedcode op de productieorder”?"
    assert answered(title, shown="<th>Status</th>", Acceptatieomgeving="http://x").offer == "request_changes"
    assert answered(title, shown="<th>Spoedcode</th>", Acceptatieomgeving="http://x").offer == "approve"
