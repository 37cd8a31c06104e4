"""Each rule in words, and patterns that mean the same everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_contracts import pattern
from data_contracts.errors import LanguageUnknown
from data_contracts.loading import contract_for, parse_contract
from data_contracts.rules import rule_named, rules_of
from data_contracts.sql import speech_of

AGREED = parse_contract(Path(__file__).with_name("agreed.yaml").read_text(encoding="utf-8"), "agreed.yaml")
MATERIALS = contract_for("materials")
STATUS_OUT = contract_for("status_out")

WORDS: list[tuple[Any, str, dict[str, Any], str, str]] = [
    (AGREED, "order_no.required", {"order_no": " "}, "Ordernummer ontbreekt.", "Order number is missing."),
    (
        AGREED,
        "order_no.pattern",
        {"order_no": "A!"},
        "Ordernummer 'A!' heeft een andere vorm dan afgesproken; toegestaan: [A-Za-z0-9_./-]{1,20}.",
        "Order number 'A!' does not look as agreed; allowed: [A-Za-z0-9_./-]{1,20}.",
    ),
    (
        AGREED,
        "customer_name.length",
        {"customer_name": "x" * 200},
        f"Klant '{'x' * 59}…' heeft 200 tekens; toegestaan: ten hoogste 120.",
        f"Customer '{'x' * 59}…' has 200 characters; allowed: at most 120.",
    ),
    (
        AGREED,
        "qty.type",
        {"qty": "12,5"},
        "Aantal '12,5' is geen geheel getal.",
        "Quantity '12,5' is not a whole number.",
    ),
    (
        AGREED,
        "qty.range",
        {"qty": -5},
        "Aantal '-5' ligt niet tussen de afgesproken grenzen; toegestaan: 1 tot en met 1000000.",
        "Quantity '-5' is outside the bounds agreed; allowed: 1 to 1000000.",
    ),
    (
        AGREED,
        "due_date.type",
        {"due_date": "31-02-2026"},
        "Leverdatum '31-02-2026' is geen datum; toegestaan: JJJJ-MM-DD / DD-MM-JJJJ.",
        "Due date '31-02-2026' is not a date; allowed: YYYY-MM-DD / DD-MM-YYYY.",
    ),
    (
        AGREED,
        "due_date.placeholder",
        {"due_date": "01-01-0001"},
        "Leverdatum '01-01-0001' betekent dat het ERP geen datum kent; vul daar een echte datum in.",
        "Due date '01-01-0001' means that the ERP knows no date; enter a real date there.",
    ),
    (
        AGREED,
        "due_date.range",
        {"due_date": "1999-12-31"},
        (
            "Leverdatum '1999-12-31' ligt niet tussen de afgesproken grenzen; "
            "toegestaan: 2000-01-01 tot en met 2100-12-31."
        ),
        "Due date '1999-12-31' is outside the bounds agreed; allowed: 2000-01-01 to 2100-12-31.",
    ),
    (
        AGREED,
        "status.allowed",
        {"status": "gone\x1b[2J"},
        (
            "Status 'gone\ufffd[2J' is niet een van de afgesproken waarden; "
            "toegestaan: planned, released, started, finished."
        ),
        (
            "Status 'gone\ufffd[2J' is not one of the values agreed; "
            "allowed: planned, released, started, finished."
        ),
    ),
    (
        AGREED,
        "changed_at.type",
        {"changed_at": "gisteren"},
        "Gewijzigd op 'gisteren' is geen tijdstip; toegestaan: JJJJ-MM-DD UU:MM:SS.",
        "Changed at 'gisteren' is not an instant; allowed: YYYY-MM-DD HH:MM:SS.",
    ),
    (
        AGREED,
        "deleted.type",
        {"deleted": 2},
        "Verwijderd '2' is geen ja of nee; toegestaan: 1, 0, true, false.",
        "Deleted '2' is not yes or no; allowed: 1, 0, true, false.",
    ),
    (
        AGREED,
        "key.overtaken",
        {"order_no": "A1"},
        "Ordernummer 'A1': in deze levering staat een nieuwere regel; die is gebruikt.",
        "Order number 'A1': this delivery holds a newer row, and that one was used.",
    ),
    (
        MATERIALS,
        "qty.decimals",
        {"qty": "1.2345"},
        "Hoeveelheid '1.2345' heeft te veel decimalen; toegestaan: ten hoogste 3.",
        "Quantity '1.2345' has too many decimals; allowed: at most 3.",
    ),
    (
        MATERIALS,
        "qty.type",
        {"qty": "veel"},
        "Hoeveelheid 'veel' is geen getal; toegestaan zijn cijfers met een punt, zoals 12.5.",
        "Quantity 'veel' is not a number; allowed are digits with a point, such as 12.5.",
    ),
    (
        MATERIALS,
        "order_no.reference",
        {"order_no": "Z9"},
        "Ordernummer 'Z9' is onbekend in de Suite.",
        "Order number 'Z9' is not known in the Suite.",
    ),
    (
        MATERIALS,
        "key.overtaken",
        {"order_no": "A1", "line_no": 3},
        "Ordernummer en Regelnummer 'A1' en '3': in deze levering staat een nieuwere regel; die is gebruikt.",
        "Order number and Line number 'A1' and '3': this delivery holds a newer row, and that one was used.",
    ),
    (
        STATUS_OUT,
        "key.duplicate",
        {"external_key": "case-12345"},
        "Sleutel van de uitwisseling 'case-12345' komt in deze levering meer dan eens voor.",
        "Key of the exchange 'case-12345' stands in this delivery more than once.",
    ),
    (
        STATUS_OUT,
        "at.range",
        {"at": "1999-01-01 00:00:00"},
        "Tijdstip '1999-01-01 00:00:00' is te laag; toegestaan: 2000-01-01 of meer.",
        "Moment '1999-01-01 00:00:00' is too low; allowed: 2000-01-01 or more.",
    ),
]


@pytest.mark.parametrize(("contract", "name", "row", "nl", "en"), WORDS)
def test_a_rule_says_why_in_both_languages(
    contract: Any, name: str, row: dict[str, Any], nl: str, en: str
) -> None:
    rule = rule_named(contract, name)
    assert rule.words("nl", row) == nl
    assert rule.words("en", row) == en


def test_every_rule_has_words_for_any_row() -> None:
    for interface in ("orders", "operations", "materials", "status_out", "hours_out", "overview"):
        names = []
        for rule in rules_of(contract_for(interface)):
            assert rule.words("nl", {}) != rule.words("en", {})
            names.append(rule.name)
        assert len(names) == len(set(names))


def test_other_languages_are_refused() -> None:
    with pytest.raises(LanguageUnknown, match="no words in the language 'fr'; there are in: nl, en"):
        rule_named(AGREED, "qty.type").words("fr", {})


def test_a_rule_that_a_contract_lost_is_not_found() -> None:
    with pytest.raises(KeyError, match="colour"):
        rule_named(AGREED, "colour.required")


def test_overtaken_rows_do_not_count_as_bad() -> None:
    assert [rule.name for rule in rules_of(AGREED) if not rule.counts] == ["key.overtaken"]


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("[A-Z]{2}[0-9]{4,6}", ["AB1234", "AB123456"], ["A1234", "AB123", "AB1234567", "ab1234", "AB1234 "]),
        ("ORD-[0-9]{8}", ["ORD-12345678"], ["ORD12345678", "ord-12345678", "ORD-1234567"]),
        ("[0-9]{1,3}[.][0-9]{2}", ["1.25", "100.00"], ["1,25", "1000.00", ".25"]),
        ("^[a-z]+$", ["a", "abc"], ["", "aB", "a\n"]),
        (r"V\.[0-9]?", ["V.", "V.1"], ["V", "V.12", "Vx1"]),
        ("[A-Za-z0-9_%-]{3}", [], []),
    ],
)
def test_patterns_say_what_they_say_in_regular_expressions(
    text: str, good: list[str], bad: list[str]
) -> None:
    if not good:
        with pytest.raises(ValueError, match="cannot be read"):
            pattern.parsed(text)
        return
    regex = pattern.parsed(text).regex
    assert all(re.search(regex, each) for each in good)
    assert not any(re.search(regex, each) for each in bad)
    assert all(bool(re.fullmatch(text, each)) == bool(re.search(regex, each)) for each in (*good, *bad))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("[A-Z]+[0-9]+", "more than one part of it varies"),
        ("a|b", "'|b' cannot be read"),
        (".*", "'.*' cannot be read"),
        (r"\d{3}", "cannot be read"),
        ("[^a]", "cannot be read"),
        ("[a-Z]", "'a-Z' is no range of letters or digits"),
        ("[9-0]", "'9-0' ends before it begins"),
        ("a{5,2}", "ends before it begins"),
        ("[A-Z]{200}[0-9]{200}", "it allows more than 255 signs"),
    ],
)
def test_other_patterns_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        pattern.parsed(text)


SETS = st.sampled_from(["[A-Z]", "[a-z0-9]", "[0-9]", "[A-Za-z0-9_./-]", "[ab-]", "-", "X", r"\."])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.lists(st.tuples(SETS, st.sampled_from(["", "{2}"])), max_size=2),
    body=st.tuples(SETS, st.sampled_from(["", "{1,3}", "?", "*", "+", "{0,2}"])),
    tail=st.lists(st.tuples(SETS, st.sampled_from(["", "{1}"])), max_size=2),
    texts=st.lists(st.text("AZaz09-._/X \n[%*?", max_size=8), min_size=1, max_size=30),
)
def test_databases_read_patterns_alike(
    engine: sa.Engine, head: Any, body: Any, tail: Any, texts: list[str]
) -> None:
    """SQLite and SQL Server have no regular expressions: what stands in for them must be as exact."""
    text = "".join(signs + times for signs, times in (*head, body, *tail))
    meant = pattern.parsed(text)
    speech = speech_of(engine.dialect)
    with engine.connect() as connection:
        for each in texts:
            found = connection.execute(sa.select(speech.matches(sa.literal(each, sa.Text), meant))).scalar()
            assert bool(found) == bool(re.search(meant.regex, each)), (text, each)
