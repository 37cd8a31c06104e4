"""The words of questions and notices, Dutch and English, one file each.

A question's words are frozen with its gate when it opens: what a person was shown never changes afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from nakoming.agreement import in_words
from nakoming.records.gate_model import Field, Question

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER = Path(__file__).parent
LANGUAGES = ("nl", "en")


def question(template: str, **values: str) -> Question:
    """The question of this template with `values` filled in, in every language."""
    written = load("questions", template)
    fields = tuple(
        Field(
            name=f["name"],
            kind=f.get("kind", "text"),
            required=f.get("required", True),
            pattern=f.get("pattern"),
            verbs=tuple(f.get("verbs", ())),
            least=int(f["least"].format_map(values)) if "least" in f else None,
        )
        for f in written.get("fields", ())
    )
    fewest, most = written.get("documents", (0, 0))
    return Question(
        texts={language: fill(written[language], values, language) for language in LANGUAGES},
        fields=fields,
        documents=(fewest, most),
        remark_required=tuple(written.get("remark_required", ())),
    )


def notice(template: str, language: str, **values: str) -> dict[str, Any]:
    """A notice in one language: `title` and `paragraphs`."""
    filled: dict[str, Any] = fill(load("notices", template)[language], values, language)
    filled["paragraphs"] = [paragraph for paragraph in filled["paragraphs"] if paragraph]
    return filled


@cache
def load(folder: str, template: str) -> dict[str, Any]:
    """A file of words as it is written."""
    text = (_FOLDER / folder / f"{template}.yaml").read_text(encoding="utf-8")
    written: dict[str, Any] = yaml.safe_load(text)
    return written


def fill(words: Any, values: Mapping[str, str], language: str) -> Any:
    """Put values into words; `{amount:euro}` and `{planned_on:day}` are written as the language does.

    Values come from people: braces in them are text, not placeholders.
    """
    return _filled(words, {name: _Value(value, language) for name, value in values.items()})


def _filled(words: Any, values: Mapping[str, _Value]) -> Any:
    if isinstance(words, str):
        return words.format_map(values)
    if isinstance(words, list):
        return [_filled(each, values) for each in words]
    if isinstance(words, dict):
        return {name: _filled(each, values) for name, each in words.items()}
    return words


@dataclass(frozen=True)
class _Value:
    """A value on its way into words: facts are stored as plain text (1250.00, 2027-01-31)."""

    value: str
    language: str

    def __format__(self, how: str) -> str:
        if how == "euro":
            return in_words.euro_in_words(Decimal(self.value), self.language)
        if how == "day":
            return in_words.day_in_words(date.fromisoformat(self.value), self.language)
        return format(self.value, how)
