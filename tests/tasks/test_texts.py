"""Every question and notice says the same in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tasks.texts import LANGUAGES, fill, load, question

FOLDER = Path(__file__).parents[2] / "tasks" / "texts"
WORDS = sorted((path.parent.name, path.stem) for path in FOLDER.glob("*/*.yaml"))
PLACE = re.compile(r"{(\w+(?::\w+)?)}")


def shape(words: Any) -> Any:
    """The keys and the kinds of values, without the words."""
    if isinstance(words, dict):
        return {key: shape(value) for key, value in words.items()}
    if isinstance(words, list):
        return [shape(each) for each in words]
    return type(words).__name__


def places(words: Any) -> set[str]:
    """The placeholders; those of one language (`_nl`, `_en`) count as the same."""
    return {re.sub(r"_(nl|en)$", "", name) for name in PLACE.findall(str(words))}


@pytest.mark.parametrize(("folder", "name"), WORDS)
def test_both_languages_have_the_same_parts_and_placeholders(folder: str, name: str) -> None:
    written = load(folder, name)
    dutch, english = (written[language] for language in LANGUAGES)
    assert shape(dutch) == shape(english)
    assert places(dutch) == places(english)


@pytest.mark.parametrize("name", [name for folder, name in WORDS if folder == "questions"])
def test_a_question_labels_every_field_and_verb_it_has(name: str) -> None:
    written = load("questions", name)
    for language in LANGUAGES:
        words = written[language]
        assert {field["name"] for field in written.get("fields", ())} == set(words.get("fields", {}))
        assert all({"label", "next"} <= set(verb) for verb in words["verbs"].values())
        assert set(written.get("remark_required", ())) <= set(words["verbs"])


def test_braces_of_people_are_text() -> None:
    assert fill("“{title}”", {"title": "{amount} {0}"}, "nl") == "“{amount} {0}”"


def test_amounts_and_days_are_written_as_the_language_does() -> None:
    values = {"amount": "1234567.50", "planned_on": "2027-05-01"}
    words = "{amount:euro}, {planned_on:day}"
    assert fill(words, values, "nl") == "€ 1.234.567,50, zaterdag 1 mei 2027"
    assert fill(words, values, "en") == "€ 1,234,567.50, Saturday 1 May 2027"


def test_a_missing_value_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(KeyError, match="requester"):
        question("intake", title="x")
