"""The postman's own few words, and how readers name a case and an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tasks.mail.contexts import Language

if TYPE_CHECKING:
    from nakoming.records.case_model import Case
    from nakoming.records.gate_model import AnswerRecord, Gate

_KINDS: Final = {
    "rfc": {Language.NL: "RFC", Language.EN: "RFC"},
    "problem": {Language.NL: "Probleem", Language.EN: "Problem"},
}
_VERBS: Final = {
    "approve": {Language.NL: "Goedgekeurd", Language.EN: "Approved"},
    "request_changes": {Language.NL: "Wijzigingen gevraagd", Language.EN: "Changes requested"},
    "refuse": {Language.NL: "Geweigerd", Language.EN: "Refused"},
    "deliver": {Language.NL: "Aangeleverd", Language.EN: "Delivered"},
    "object": {Language.NL: "Bezwaar gemaakt", Language.EN: "Objected"},
    "choose": {Language.NL: "Gekozen", Language.EN: "Chosen"},
    "discharge": {Language.NL: "Décharge verleend", Language.EN: "Discharge granted"},
    "withhold": {Language.NL: "Décharge onthouden", Language.EN: "Discharge withheld"},
}
_TAKEN_BACK: Final = {Language.NL: "Antwoord teruggenomen", Language.EN: "Answer taken back"}
_CASE_LIMIT: Final = 150  # characters


def case_name(case: Case, language: Language) -> str:
    """A case as its readers say it: "RFC 2026-014 Extra veld op de productieorder"."""
    kind = case.kind
    if case.parameters.get("kind") in _KINDS:  # a problem walks the street of the RFCs
        kind = case.parameters["kind"]
    word = _KINDS[kind][language] if kind in _KINDS else kind.replace("_", " ").capitalize()
    name = f"{word} {case.subject} {case.parameters.get('title') or ''}".strip()
    return name if len(name) <= _CASE_LIMIT else f"{name[: _CASE_LIMIT - 1]}…"


def texts_of(gate: Gate, language: Language) -> dict[str, Any]:
    """The question's own words; in another language when this one is not there."""
    texts = gate.question.texts
    return texts.get(str(language)) or next(iter(texts.values()))


def decision(gate: Gate, answer: AnswerRecord, language: Language) -> str:
    """What a person answered: the option's label, or the verb's."""
    texts = texts_of(gate, language)
    if answer.option is not None:
        return str(texts.get("options", {}).get(answer.option, answer.option))
    label = texts.get("verbs", {}).get(answer.verb, {}).get("label")
    return str(label or _VERBS.get(answer.verb, {}).get(language) or answer.verb)


def taken_back(decided: str, language: Language) -> str:
    """That an answer counts no more."""
    return f"{_TAKEN_BACK[language]}: {decided}"


def happens_next(gate: Gate, language: Language) -> str | None:
    """What follows from each answer that can be chosen, a line each."""
    verbs = texts_of(gate, language).get("verbs", {})
    told = [
        (verbs.get(str(verb), {}).get("label"), verbs.get(str(verb), {}).get("next"))
        for verb in gate.rule.offered
    ]
    return "\n".join(f"{label}: {then}" for label, then in told if label and then) or None


def remarks(gate: Gate, answer: AnswerRecord, language: Language) -> str | None:
    """The facts of an answer by their labels, then what the person wrote."""
    labels = texts_of(gate, language).get("fields", {})
    lines = [f"{labels.get(name, name)}: {value}" for name, value in answer.facts.items() if value]
    return "\n".join([*lines, answer.remark.strip()]).strip() or None
