"""The portal's own sentences, one YAML file a language; the question's texts come with the question."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from nakoming.portal.errors import TextsDiffer

LANGUAGES: Final = ("nl", "en")
_FOLDER: Final = Path(__file__).parent / "texts"


@cache
def sentences(language: str) -> dict[str, str]:
    """All sentences of a language by dotted key."""
    nested = yaml.safe_load((_FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return dict(_flat(nested, ""))


def _flat(nested: dict[str, Any], prefix: str) -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for key, value in nested.items():
        if isinstance(value, dict):
            flat += _flat(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", str(value)))
    return flat


def check() -> None:
    """Every language has every sentence; `TextsDiffer` names what one lacks."""
    keys = {key for language in LANGUAGES for key in sentences(language)}
    for language in LANGUAGES:
        if missing := keys - sentences(language).keys():
            raise TextsDiffer(language=language, missing=", ".join(sorted(missing)))


class Words:
    """The sentences of one language, filled in: `words("question.asked", name="Anna")`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._sentences = sentences(language)

    def __call__(self, key: str, **values: object) -> str:
        """The sentence with this key."""
        return self._sentences[key].format(**values) if values else self._sentences[key]

    def has(self, key: str) -> bool:
        """Whether there is such a sentence."""
        return key in self._sentences


def preferred(accept_language: str) -> str:
    """The language of ours that a browser names first; Dutch when it names none."""
    for part in accept_language.split(","):
        code = part.partition(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return LANGUAGES[0]
