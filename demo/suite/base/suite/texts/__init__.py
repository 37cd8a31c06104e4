"""Words on the pages, Dutch and English: every JSON file beside this one adds its own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

LANGUAGES = ("nl", "en")


@cache
def texts(language: str) -> dict[str, str]:
    """All words in `language`; English where a customer asks for one we do not have."""
    chosen = language if language in LANGUAGES else "en"
    words: dict[str, str] = {}
    for file in sorted(Path(__file__).parent.glob("*.json")):
        entries = json.loads(file.read_text(encoding="utf-8"))
        words.update({key: entry[chosen] for key, entry in entries.items()})
    return words
