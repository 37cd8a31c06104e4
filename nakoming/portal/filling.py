"""What a person filled in: read from the form, checked against the question, kept when it must come back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from nakoming.agreement.gate_rules import Verb
from nakoming.records.answers import DAYS, REMARK_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nakoming.portal.forms import Form, Upload
    from nakoming.records.gate_model import Field, Gate

_DUTCH_DATE: Final = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_AMOUNT: Final = re.compile(r"\d{1,9}(\.\d{2})?")
_GROUPED: Final = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d{2})?")
_LIMITS: Final = {"long_text": REMARK_LIMIT}
_LINE_LIMIT: Final = 200
SEPARATOR: Final = ":"


@dataclass(frozen=True)
class Problem:
    """Something to put right: at which field (`answer`, `remark`, `fact-<name>`, …) and which sentence."""

    place: str
    sentence: str
    values: dict[str, object] = field(default_factory=dict)
    labelled: str | None = None  # the name of the question's field whose label the sentence needs


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A form as it was filled in. `answer` is a verb, or a verb and an option with a colon between."""

    answer: str = ""
    remark: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    shown: str = ""
    form_token: str = ""
    sealed: str = ""
    word: str = ""
    kept: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        """The verb of the answer."""
        return self.answer.partition(SEPARATOR)[0]

    @property
    def option(self) -> str | None:
        """The option of a choice."""
        return self.answer.partition(SEPARATOR)[2] or None


def read(form: Form, gate: Gate) -> Filled:
    """What the form says about the fields of this question."""
    facts = {each.name: form.text(f"fact-{each.name}").strip() for each in gate.question.fields}
    return Filled(
        answer=form.text("answer"),
        remark=form.text("remark").strip(),
        facts=facts,
        shown=form.text("shown"),
        form_token=form.text("form"),
        sealed=form.text("seal"),
        word=form.text("word"),
        kept=tuple(form.fields.get("kept", ())),
    )


def facts_for(filled: Filled, gate: Gate) -> dict[str, str]:
    """The facts that belong to the answer given, in the form in which they are stored."""
    return {
        each.name: normal(each, filled.facts[each.name])
        for each in gate.question.fields
        if filled.facts[each.name] and applies(each, filled.verb)
    }


def applies(asked: Field, verb: str) -> bool:
    """Whether a field belongs to this answer."""
    return not asked.verbs or verb in asked.verbs


def normal(asked: Field, value: str) -> str:
    """A value as it is stored: dates and amounts may be written in the Dutch way."""
    if asked.kind == "date" and (dutch := _DUTCH_DATE.fullmatch(value)):
        day, month, year = dutch.groups()
        return f"{year}-{int(month):02}-{int(day):02}"
    if asked.kind == "amount":
        plain = value.removeprefix("€").replace("\u00a0", "").replace(" ", "")
        if _GROUPED.fullmatch(plain):
            plain = plain.replace(".", "")
        return plain.replace(",", ".")
    return value


def problems(filled: Filled, gate: Gate, uploads: list[Upload], most_bytes: int) -> Iterator[Problem]:
    """All that stands between this form and an answer, in the order of the page."""
    if not _is_offered(filled, gate):
        yield Problem("answer", "choose")
    for each in gate.question.fields:
        if applies(each, filled.verb):
            yield from _of_fact(each, filled.facts[each.name])
    if filled.verb in gate.question.remark_required and not filled.remark:
        yield Problem("remark", "remark")
    if len(filled.remark) > REMARK_LIMIT:
        values: dict[str, object] = {"length": len(filled.remark), "limit": REMARK_LIMIT}
        yield Problem("remark", "long", values | {"field": ""}, labelled="remark")
    yield from _of_uploads(filled, gate, uploads, most_bytes)


def _is_offered(filled: Filled, gate: Gate) -> bool:
    if filled.verb not in {str(verb) for verb in gate.rule.offered}:
        return False
    if filled.verb == Verb.CHOOSE:
        return filled.option in gate.rule.options
    return filled.option is None


def _of_fact(asked: Field, typed: str) -> Iterator[Problem]:
    place = f"fact-{asked.name}"
    value = normal(asked, typed)
    if not value:
        if asked.required:
            yield Problem(place, "required", labelled=asked.name)
        return
    limit = _LIMITS.get(asked.kind, _LINE_LIMIT)
    if len(value) > limit:
        yield Problem(place, "long", {"length": len(value), "limit": limit}, labelled=asked.name)
    elif asked.pattern and not re.fullmatch(asked.pattern, value):
        yield Problem(place, "form", labelled=asked.name)
    elif asked.kind == "date" and not asked.pattern and not _is_date(value):
        yield Problem(place, "date", labelled=asked.name)
    elif asked.kind == "amount" and not asked.pattern and not _AMOUNT.fullmatch(value):
        yield Problem(place, "amount", labelled=asked.name)
    elif asked.kind == "days" and not (DAYS.fullmatch(value) and int(value) >= (asked.least or 1)):
        yield Problem(place, "days", {"least": asked.least or 1}, labelled=asked.name)


def _is_date(value: str) -> bool:
    try:
        return bool(_DATE.fullmatch(value) and date.fromisoformat(value))
    except ValueError:
        return False


def _of_uploads(filled: Filled, gate: Gate, uploads: list[Upload], most_bytes: int) -> Iterator[Problem]:
    fewest, most = gate.question.documents
    count = len(uploads) + len(filled.kept)
    for upload in uploads:
        if upload.too_large:
            yield Problem(
                "upload", "too_large", {"name": upload.name, "size": upload.size, "limit": most_bytes}
            )
        elif upload.size == 0:
            yield Problem("upload", "empty", {"name": upload.name})
    if count > most:
        yield Problem("upload", "many" if most else "none", {"most": most, "count": count})
    elif filled.verb == Verb.DELIVER and count < fewest:
        yield Problem("upload", "few", {"fewest": fewest})
