"""What the customer and the vendor are told in a calamity, each in their language; who decides at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nakoming.agreement.clocks import end_of_service_hours
from nakoming.agreement.gate_rules import Kind, Verb
from nakoming.agreement.in_words import instant_in_words
from tasks.backup.calamity_offer import DECIDE, about, deciding
from tasks.notices import put_notice
from tasks.questions import Due, desk_of
from tasks.texts import LANGUAGES, load

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.backup.calamity_replay import Replay
    from tasks.backup.calamity_saving import Saved
    from tasks.backup.calamity_versions import Version
    from tasks.case_run import CaseRun

KEEP: Final = "keep"
GO_BACK: Final = "go_back"
_DAYS_TO_DECIDE: Final = 1
_WORDS: Final = "calamity"


def tell(case: CaseRun, name: str, words: str, values: dict[str, str] | None = None) -> None:
    """Tell the customer's functional administrator and those who choose, once."""

    def write(tx: Tx) -> list[str]:
        here = desk_of(tx, case)
        held = {seat.role for seat in deciding(here)}
        roles = tuple(role for role in DECIDE if role in held)
        filled = about(case, here) | (values or {})
        told = put_notice(tx, case.case, here, name, words, filled, roles=roles)
        return sorted(contact.person for contact in told)

    case.record(name, write, words=words, values=values)


def of_version(version: Version) -> dict[str, str]:
    """A version, in words."""
    return {"set_id": version.set_id} | at_in_words("taken", version.taken_at)


def at_in_words(name: str, at: datetime) -> dict[str, str]:
    """An instant under a name, in each language."""
    return {f"{name}_{language}": instant_in_words(at, language) for language in LANGUAGES}


def of_replay(replay: Replay) -> dict[str, str]:
    """What was listed, in words."""
    found = {}
    for language in LANGUAGES:
        words: dict[str, Any] = load(_WORDS, "ending")[language]
        listed = words["listed"].format(incoming=replay.incoming, outgoing=replay.outgoing, sent=replay.sent)
        found[f"replay_{language}"] = listed if replay.reason is None else words["not_listed"]
    return found


def of_kept(saved: Saved, drop_at: datetime) -> dict[str, str]:
    """What becomes of the database that is not live any more, in words."""
    found = {}
    for language in LANGUAGES:
        words: dict[str, Any] = load(_WORDS, "ending")[language]
        at = instant_in_words(drop_at, language)
        found[f"kept_{language}"] = (
            words["as_set"].format(set=saved.set_id) if saved.set_id else words["until"].format(at=at)
        )
    return found


def end_question(
    tx: Tx,
    case: CaseRun,
    name: str,
    *,
    values: dict[str, str],
    documents: tuple[str, ...],
    can_go_back: bool,
) -> GateSpec:
    """The operators' question: keep, or go back. Due at the end of the next working day, a target of ours."""
    here = desk_of(tx, case)
    on = here.calendar.first_working_day_on_or_after(
        here.calendar.add_working_days(here.today, _DAYS_TO_DECIDE)
    )
    due = Due(by=end_of_service_hours(on, here.terms.service_hours), clause="S-2.4.5", origin="ours")
    return here.gate(
        name,
        Kind.CHOICE,
        here.vendor_seats("operator"),
        "restore_kept",
        about(case, here) | values,
        verbs=(Verb.CHOOSE,),
        options=(KEEP, GO_BACK) if can_go_back else (KEEP,),
        documents=documents,
        due=due,
        label=f"{case.key}: keep, or go back?",
    )
