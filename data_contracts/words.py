"""The words of `words.yaml`: why a row is not taken over, for the people who must repair it."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from data_contracts.errors import LanguageUnknown

FILE: Final = Path(__file__).with_name("words.yaml")
_LONGEST: Final = 60
_NOTHING: Final = "–"


@cache
def words_in(language: str) -> dict[str, str]:
    """The words in a language.

    Raises:
        LanguageUnknown: there are none.
    """
    known = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    if language not in known:
        raise LanguageUnknown(language=language, known=", ".join(known))
    words: dict[str, str] = known[language]
    return words


def shown(value: Any) -> str:
    """A value of a row as it may stand in a sentence: short, in quotes, without signs that steer a screen."""
    if value is None:
        return _NOTHING
    text = "".join("\ufffd" if unicodedata.category(sign)[0] == "C" else sign for sign in str(value))
    return f"'{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}'"


def day_shown(number: int) -> str:
    """A day, YYYYMMDD, as it is written."""
    return f"{number // 10_000:04}-{number // 100 % 100:02}-{number % 100:02}"


def formats_shown(formats: tuple[str, ...], language: str) -> str:
    """Ways to write a date, the year in the letter of the language."""
    return " / ".join(form.replace("Y", words_in(language)["year"]) for form in formats)
