"""What the ERP's people read beside the inbox, in their language: what became of a file, row by row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from nakoming.agreement.local_time import ZONE
from tasks.erp.bookkeeping import batches, outdated, quarantine
from tasks.texts import load

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from nakoming.agreement.people import Language
    from nakoming.errors import NakomingError
    from tasks.erp.files import TakenFile

SHOWN = 1_000
"""So many rows that were held back are shown one by one."""


def of_taken(engine: Engine, name: str, taken: TakenFile, language: Language) -> str:
    """The answer to a file whose rows were loaded; the same each time it is made."""
    words = load("erp", "file_answer")[language]
    at = f"{taken.taken_at.astimezone(ZONE):%d-%m-%Y %H:%M}"
    head = words["before" if taken.is_repeated else "taken"]
    lines = [head.format_map({"file": name, "at": at, "first": taken.first_name})]
    with engine.connect() as connection:
        booked = connection.execute(select(batches).where(batches.c.id == taken.batch)).mappings().one()
        lines.append(words["counts"].format_map(booked))
        lines += _left_alone(connection, taken.batch, words)
        lines += _held_back(connection, taken.batch, words, language)
    for which, names in (("unknown", taken.matched.unknown), ("absent", taken.matched.absent)):
        if names:
            lines.append(words[which].format_map({"names": ", ".join(names)}))
    if taken.formulas:
        lines.append(words["formulas"].format_map({"count": taken.formulas}))
    return "\n".join(lines) + "\n"


def _left_alone(connection: Connection, batch: int, words: dict[str, Any]) -> list[str]:
    """The rows that were older than what the Suite has."""
    o = outdated.c
    count = connection.execute(select(func.count()).where(o.batch == batch)).scalar_one()
    if not count:
        return []
    shown = connection.execute(
        select(outdated).where(o.batch == batch).order_by(o.key).limit(SHOWN)
    ).mappings()
    lines = [words["older"].format_map(row) for row in shown]
    more = [words["more"].format_map({"count": count - SHOWN})] if count > SHOWN else []
    return ["", words["outdated"].format_map({"count": count}), *lines, *more, ""]


def _held_back(connection: Connection, batch: int, words: dict[str, Any], language: Language) -> list[str]:
    q = quarantine.c
    count = connection.execute(select(func.count()).where(q.batch == batch)).scalar_one()
    if not count:
        return []
    shown = select(q.key, q.reasons).where(q.batch == batch).order_by(q.id).limit(SHOWN)
    lines = [
        f"- {row.key or '–'}: {' '.join(json.loads(row.reasons)[language])}"
        for row in connection.execute(shown)
    ]
    more = [words["more"].format_map({"count": count - SHOWN})] if count > SHOWN else []
    return ["", words["held"], *lines, *more, ""]


def of_refused(name: str, refused: NakomingError, language: Language) -> str:
    """The answer to a file of which nothing was loaded: why, in one sentence, and the message itself."""
    words = load("erp", "file_answer")[language]
    lines = (
        words["refused"].format_map({"file": name, "why": words["why"][type(refused).__name__]}),
        words["detail"].format_map({"error": str(refused)}),
        words["again"],
    )
    return "\n".join(lines) + "\n"
