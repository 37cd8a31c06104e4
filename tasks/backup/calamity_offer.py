"""The question which version a customer goes on with, or none: nothing is restored without its answer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from nakoming.agreement.errors import NobodyAuthorisedError
from nakoming.agreement.gate_rules import Kind, Verb
from nakoming.agreement.in_words import day_in_words, instant_in_words, size_in_words
from nakoming.records.events import Event
from tasks.backup.calamity_errors import NobodyDecides
from tasks.backup.calamity_losses import Lost, count_lost
from tasks.backup.calamity_versions import MOST, Version, restorable
from tasks.questions import desk_of
from tasks.texts import LANGUAGES, load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from nakoming.agreement.gate_rules import Seat
    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun
    from tasks.questions import Desk

NONE: Final = "do_not_restore"
DECIDE: Final = ("representative", "management")
_WORDS: Final = "restore_choice"
_MOST_DAYS: Final = 7


def chosen(case: CaseRun, number: int, damaged: Sequence[Version]) -> Version | None:
    """The version that the customer chose, in this round of asking; None: nothing is to be restored.

    Raises:
        CaseWaits: nobody has chosen yet.
    """
    case.stage("choice", number)
    without = [each.set_id for each in damaged]
    found = case.record(
        f"choice/{number}/versions",
        lambda tx: restorable(tx, case.customer, case.lease.case_id, without),
        without=without,
    )
    versions = [Version.model_validate(each) for each in found]
    offered = versions[:MOST]
    agreement = case.agreement()
    lost = case.do(
        f"choice/{number}/lost",
        count_lost,
        database=str(agreement.backup.database),
        suite=agreement.erp.suite,
        instants=[each.taken_at for each in offered],
    )
    gate = f"choice/{number}/version"
    _prove_offered(case, number, offered, len(versions), lost)
    case.ask(gate, lambda tx: _question(tx, case, gate, offered, len(versions), lost, damaged))
    answer = case.answer(gate)
    by_name = {each.set_id: each for each in offered}
    version = by_name.get(answer.option or NONE)
    case.prove(
        f"choice/{number}/evidence",
        Event.BACKUP_RESTORE_CHOSEN,
        clause="S-2.4.5",
        chosen=version.set_id if version else NONE,
        manifest_sha256=version.manifest_sha256 if version else None,
        by=answer.decided_by,
    )
    return version


def _prove_offered(case: CaseRun, number: int, offered: list[Version], count: int, lost: Lost) -> None:
    versions = [
        {
            "set": each.set_id,
            "manifest_sha256": each.manifest_sha256,
            "taken_at": each.taken_at,
            "lost": lost.after(each.taken_at),
        }
        for each in offered
    ]
    case.prove(
        f"choice/{number}/offered",
        Event.BACKUP_RESTORE_OFFERED,
        clause="S-2.4.5",
        versions=versions,
        more=count - len(offered),
        not_counted_because=lost.reason,
    )


def deciding(here: Desk) -> tuple[Seat, ...]:
    """The officers who choose: representative and management, as far as somebody holds the role today.

    Raises:
        NobodyDecides: nobody does.
    """
    found: list[Seat] = []
    for role in DECIDE:
        with suppress(NobodyAuthorisedError):
            found += here.customer_seats(role)
    if not found:
        raise NobodyDecides(customer=here.terms.customer, on=here.today)
    return tuple(found)


def _question(
    tx: Tx,
    case: CaseRun,
    name: str,
    offered: list[Version],
    count: int,
    lost: Lost,
    damaged: Sequence[Version],
) -> GateSpec:
    here = desk_of(tx, case)
    spec = here.gate(
        name,
        Kind.CHOICE,
        deciding(here),
        _WORDS,
        about(case, here) | _facts(offered, count, lost, damaged),
        verbs=(Verb.CHOOSE,),
        options=(*(each.set_id for each in offered), NONE),
        label=f"{case.key}: which version?",
    )
    texts = {
        language: words | {"options": _options(offered, lost, here.now, language) | words["options"]}
        for language, words in spec.question.texts.items()
    }
    return replace(spec, question=replace(spec.question, texts=texts))


def about(case: CaseRun, here: Desk) -> dict[str, str]:
    """What every message of a calamity names."""
    return {
        "reference": case.case.subject,
        "customer_name": here.terms.name,
        "happened": str(case.case.parameters["what_happened"]),
    }


def _facts(offered: list[Version], count: int, lost: Lost, damaged: Sequence[Version]) -> dict[str, str]:
    more, oldest = count - len(offered), offered[-1].taken_at if offered else None
    found: dict[str, str] = {}
    for language in LANGUAGES:
        words = _words(language)
        bad = [words["damaged"].format(at=instant_in_words(each.taken_at, language)) for each in damaged]
        found[f"why_{language}"] = " ".join(bad) or "–"
        found[f"more_{language}"] = words["more"].format(count=more) if more else words["no_more"]
        days = lost.days.get(oldest, {}) if oldest else {}
        shown = [f"{day_in_words_of(day, language)}: {days[day]}" for day in sorted(days, reverse=True)]
        rest = [f"(+{len(shown) - _MOST_DAYS})"] if len(shown) > _MOST_DAYS else []
        known = "; ".join([*shown[:_MOST_DAYS], *rest]) or words["no_days"]
        found[f"days_{language}"] = known if lost.reason is None else words["unknown"]
    return found


def day_in_words_of(day: str, language: str) -> str:
    """A day that is kept as text, without its year."""
    on = date.fromisoformat(day)
    return day_in_words(on, language).removesuffix(f" {on.year}")


def _options(offered: list[Version], lost: Lost, now: datetime, language: str) -> dict[str, str]:
    return {each.set_id: _label(each, lost, now, language) for each in offered}


def _label(version: Version, lost: Lost, now: datetime, language: str) -> str:
    words, count = _words(language), lost.after(version.taken_at)
    losing = (
        words["unknown"] if count is None else words["one" if count == 1 else "losing"].format(count=count)
    )
    said = words["version"].format(
        # Said once for all; in the hour that comes twice it stays, with the season.
        at=instant_in_words(version.taken_at, language).removesuffix(words["zone"]),
        age=_age(now - version.taken_at, words),
        size=size_in_words(version.size, language),
        losing=losing,
    )
    return f"{said} {words['before_restore']}" if version.before_restore else said


def _age(age: timedelta, words: dict[str, Any]) -> str:
    hours = max(0, round(age.total_seconds() / 3600))
    days, rest = divmod(hours, 24)
    parts = [(days, words["days"] if days != 1 else words["day"])] if days else []
    parts += [(rest, words["hours"] if rest != 1 else words["hour"])] if rest or not days else []
    return " ".join(f"{count} {word}" for count, word in parts)


def _words(language: str) -> dict[str, Any]:
    words: dict[str, Any] = load("calamity", "versions")[language]
    return words
