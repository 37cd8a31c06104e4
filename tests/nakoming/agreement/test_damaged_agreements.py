"""Thirty and more small damages to a good agreement; the whole message of each is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from nakoming.agreement.errors import AgreementError, AgreementFileError
from nakoming.agreement.loading import agreement_errors, load_agreement

GOOD = (Path(__file__).parent / "damaged" / "acme.yaml").read_text(encoding="utf-8")
WHOLE = GOOD

# What is damaged, the text replaced, its replacement, the message after "acme.yaml, line ".
DAMAGES = [
    pytest.param(
        "beta: 12",
        "beta: ten",
        "26, lead_times.beta: 'ten' is not a whole number of working days; allowed: 0 to 260.",
        id="number in words",
    ),
    pytest.param(
        "beta: 12",
        "beta: 261",
        "26, lead_times.beta: 261 working days is out of bounds; allowed: 0 to 260.",
        id="number out of bounds",
    ),
    pytest.param(
        "beta: 12",
        "beta: true",
        "26, lead_times.beta: true is not a whole number of working days; allowed: 0 to 260.",
        id="number as boolean",
    ),
    pytest.param(
        "beta: 12",
        "beta: 1.5",
        "26, lead_times.beta: 1.5 is not a whole number of working days; allowed: 0 to 260.",
        id="number with a fraction",
    ),
    pytest.param(
        "beta: 12",
        'beta: "12"',
        "26, lead_times.beta: '12' is not a whole number of working days; allowed: 0 to 260.",
        id="number in quotes",
    ),
    pytest.param(
        "beta: 12",
        "beta:",
        ("26, lead_times.beta: an empty value is not a whole number of working days; allowed: 0 to 260."),
        id="empty value",
    ),
    pytest.param(
        "beta: 12",
        "betta: 12",
        (
            "26, lead_times.betta: the key is not known, perhaps beta was meant; allowed: beta, "
            "acceptance_last_day, judgement, quote, quote_validity, planning, generic_notice, "
            "document_delivery, customer_response, intake_confirmation, maintenance_notice, "
            "urgent_notice_minutes."
        ),
        id="unknown key, near",
    ),
    pytest.param(
        "code: ACME",
        "code: ACME\ncolour: red",
        (
            "4, colour: the key is not known; allowed: customer, name, code, language, "
            "contract_start_on, calendars, persons, environments, sources, features, specific_rfcs, "
            "remarks, service_hours, tickets, windows, lead_times, reminders, deployment, retention, "
            "backup, erp, availability, prices, exit, consultation, escalation."
        ),
        id="unknown key at the top",
    ),
    pytest.param(
        "code: ACME",
        "code: ACME\nlanguage: en\ncode: ACMF",
        "5, code: the key stands here a second time (first on line 3); allowed: each key once.",
        id="key twice",
    ),
    pytest.param(
        "code: ACME\n",
        "",
        "1, code: it is missing; allowed: Short name in keys of cases, such as ACME.",
        id="key missing",
    ),
    pytest.param(
        "customer: acme",
        "customer: Acme",
        (
            "1, customer: 'Acme' is not a short name; allowed: 2 to 31 lower-case letters, digits and "
            "dashes, a letter first."
        ),
        id="slug with capitals",
    ),
    pytest.param(
        "code: ACME",
        "code: acme",
        "3, code: 'acme' is not a code; allowed: 2 to 12 capitals and digits, a capital first.",
        id="code in small letters",
    ),
    pytest.param(
        "language: nl",
        "language: de",
        "4, language: 'de' is not one of the choices; allowed: nl, en.",
        id="unknown language",
    ),
    pytest.param(
        "contract_start_on: 2026-01-01",
        "contract_start_on: 2026-02-30",
        (
            "5, contract_start_on: '2026-02-30' is not a date; allowed: a date of the calendar as "
            "year-month-day, such as 2026-11-23."
        ),
        id="date that does not exist",
    ),
    pytest.param(
        "contract_start_on: 2026-01-01",
        "contract_start_on: 01-01-2026",
        (
            "5, contract_start_on: '01-01-2026' is not a date; allowed: a date of the calendar as "
            "year-month-day, such as 2026-11-23."
        ),
        id="date the other way round",
    ),
    pytest.param(
        "email: jan.jansen@acme.example",
        "email: jan.jansen at acme.example",
        (
            "13, persons.0.email: 'jan.jansen at acme.example' is not a mail address; allowed: one "
            "address, such as jo@customer.example."
        ),
        id="mail address",
    ),
    pytest.param(
        "roles: [functional_administrator]",
        "roles: [administrator]",
        (
            "14, persons.0.roles.0: 'administrator' is not one of the choices; allowed: "
            "functional_administrator, cluster_manager, management, representative, key_user."
        ),
        id="unknown role",
    ),
    pytest.param(
        "roles: [functional_administrator]",
        "roles: functional_administrator",
        (
            "14, persons.0.roles: 'functional_administrator' is not a list; allowed: items in square "
            "brackets, or one a line with a dash."
        ),
        id="role not in a list",
    ),
    pytest.param(
        "roles: [functional_administrator]",
        "roles: [key_user]",
        (
            "10, persons: nobody is functional_administrator on 2026-01-01; allowed: somebody with that"
            " role, or their deputy, on every date from then on (S-2.2.1)."
        ),
        id="nobody administrator",
    ),
    pytest.param(
        "roles: [functional_administrator]",
        "roles: [functional_administrator]\n    valid_until: 2026-12-31",
        (
            "10, persons: nobody is functional_administrator on 2027-01-01; allowed: somebody with that"
            " role, or their deputy, on every date from then on (S-2.2.1)."
        ),
        id="administrator leaves",
    ),
    pytest.param(
        "roles: [cluster_manager, management]",
        "roles: [cluster_manager]",
        (
            "10, persons: nobody is management on 2026-01-01; allowed: somebody with that role, or "
            "their deputy, on every date from then on (S-3.2.4)."
        ),
        id="escalation role empty",
    ),
    pytest.param(
        "valid_from: 2026-01-01",
        "valid_from: 2026-01-01\n    valid_until: 2025-12-31",
        (
            "15, persons.1: the authority ends on 2025-12-31, before it begins; allowed: a last day "
            "from 2026-01-01 on."
        ),
        id="authority ends before it begins",
    ),
    pytest.param(
        "person: jan-jansen, from",
        "person: piet-jansen, from",
        ("21, persons.1.deputy_for.0.person: 'piet-jansen' is nobody of this file; allowed: jan-jansen."),
        id="deputy of nobody",
    ),
    pytest.param(
        "until: 2027-07-23",
        "until: 2027-07-01",
        (
            "21, persons.1.deputy_for.0: it ends on 2027-07-01, before it begins; allowed: a last day "
            "from 2027-07-05 on."
        ),
        id="deputy period reversed",
    ),
    pytest.param(
        "valid_from: 2026-01-01",
        "valid_from: 2027-07-12",
        (
            "10, persons: nobody is cluster_manager on 2026-01-01; allowed: somebody with that role, or"
            " their deputy, on every date from then on (S-3.2.3)."
        ),
        id="deputy outside authority",
    ),
    pytest.param(
        "id: els-de-boer",
        "id: jan-jansen",
        (
            "15, persons.1.id: 'jan-jansen' is the id of person 1 as well; allowed: an id of its own "
            "for each person."
        ),
        id="id twice",
    ),
    pytest.param(
        "email: els.de.boer@acme.example",
        "email: Jan.Jansen@acme.example",
        (
            "17, persons.1.email: 'Jan.Jansen@acme.example' is the mailbox of jan-jansen as well; "
            "allowed: a mailbox of their own for each person, because links are personal."
        ),
        id="mailbox shared",
    ),
    pytest.param(
        "  2027: {based_on: nl}\n",
        "",
        "8, calendars.2028: the year 2027 is left out; allowed: years without a gap.",
        id="year left out",
    ),
    pytest.param(
        "contract_start_on: 2026-01-01",
        "contract_start_on: 2029-01-01",
        (
            "6, calendars: the years end with 2028, before the contract begins; allowed: the year 2029 "
            "as well."
        ),
        id="contract after the calendars",
    ),
    pytest.param(
        "  2028: {",
        "  20028: {",
        "9, calendars.20028: 20028 is not a year; allowed: 2000 to 2100.",
        id="a year too far",
    ),
    pytest.param(
        "extra: [2026-12-24]",
        "extra: [2027-12-24]",
        "7, calendars.2026.extra.0: 2027-12-24 does not lie in 2026; allowed: dates of 2026.",
        id="day off in another year",
    ),
    pytest.param(
        "working: []",
        "working: [2026-12-24]",
        (
            "7, calendars.2026.working.0: 2026-12-24 is listed as a day off as well; allowed: each date"
            " in one of extra and working."
        ),
        id="day off and working",
    ),
    pytest.param(
        "start: 19:00",
        "start: 21:00",
        (
            "28, windows.bugfix: the window is empty; allowed: an end that differs from the start, or "
            "kind any_time."
        ),
        id="window empty",
    ),
    pytest.param(
        "{kind: daily, start: 19:00, end: 21:00}",
        "{kind: daily, start: 19:00}",
        (
            "28, windows.bugfix: a window of kind daily needs its hours; allowed: start and end, such "
            "as 20:00 and 21:00."
        ),
        id="window without hours",
    ),
    pytest.param(
        "kind: daily",
        "kind: any_time",
        (
            "28, windows.bugfix: a window of kind any_time has no hours; allowed: any_time without "
            "start and end."
        ),
        id="any_time with hours",
    ),
    pytest.param(
        "start: 19:00, end: 21:00",
        "start: 02:30, end: 04:00",
        (
            "28, windows.bugfix: the window starts or ends in the hour that is skipped in March and "
            "repeated in October; allowed: 02:00 or earlier, 03:00 or later."
        ),
        id="window in the changing hour",
    ),
    pytest.param(
        "kind: daily",
        "kind: dayly",
        (
            "28, windows.bugfix.kind: 'dayly' is not one of the choices; allowed: daily, first_weekend,"
            " any_time."
        ),
        id="unknown kind of window",
    ),
    pytest.param(
        "start: 19:00",
        "start: 7 pm",
        (
            "28, windows.bugfix.start: '7 pm' is not a time of day; allowed: 00:00 to 23:59, with two "
            "digits on both sides."
        ),
        id="time of day",
    ),
    pytest.param(
        "  lead_times.beta: Contract A-1, article 3\n",
        "",
        (
            "26, lead_times.beta: the value is stated without a document that says so; allowed: a line "
            "under sources for lead_times.beta, or the default by leaving the key out."
        ),
        id="override without a source",
    ),
    pytest.param(
        "  lead_times.beta: Contract A-1, article 3",
        "  lead_times.beta: Contract A-1, article 3\n  lead_times.quote: Contract A-1, article 9",
        (
            "34, sources.lead_times.quote: it names nothing that this file overrides; allowed: "
            "windows.bugfix, lead_times.beta, reminders.after, prices.excel_export."
        ),
        id="source of nothing",
    ),
    pytest.param(
        "after: [2, 5]",
        "after: [5, 2]",
        "29, reminders: the reminders [5, 2] do not rise; allowed: each later than the one before.",
        id="reminders not rising",
    ),
    pytest.param(
        "excel_export: 275.50",
        "excel_export: 275.505",
        (
            "31, prices.excel_export: 275.505 has more than two decimals; allowed: 0 to 10000000, with "
            "at most two decimals."
        ),
        id="amount",
    ),
    pytest.param(
        "excel_export: 275.50",
        "excel_export: free",
        (
            "31, prices.excel_export: 'free' is not an amount in euro; allowed: 0 to 10000000, with at "
            "most two decimals."
        ),
        id="amount in words",
    ),
    pytest.param(
        "  production: {deploy: acme-production}\n",
        "",
        (
            "22, environments.production: it is missing; allowed: The production environment, with its "
            "deploy block."
        ),
        id="environment missing",
    ),
    pytest.param(
        "deploy: acme-production",
        "deploy: acme_production",
        (
            "24, environments.production.deploy: 'acme_production' is not the name of a block; allowed:"
            " lower-case letters and digits joined by single dashes."
        ),
        id="block name",
    ),
    pytest.param(
        'url: "http://127.0.0.1:8101"',
        'url: "http://user:secret@127.0.0.1:8101"',
        (
            "23, environments.acceptance.url: it is not a web address; allowed: http:// or https:// and"
            " a host, without a name or password."
        ),
        id="password in an address",
    ),
    pytest.param(
        "lead_times:\n  beta: 12",
        "lead_times: 12",
        "25, lead_times: 12 is not a mapping; allowed: keys and values, indented below the key.",
        id="mapping expected",
    ),
    pytest.param(
        "beta: 12",
        "beta: &a 12",
        ("26, the text: it uses an anchor or an alias; allowed: each value written out where it belongs."),
        id="anchor",
    ),
    pytest.param(
        "beta: 12",
        "beta: !!python/name:os.system 12",
        (
            "26, the text: it uses the tag tag:yaml.org,2002:python/name:os.system; allowed: plain "
            "values without tags."
        ),
        id="tag",
    ),
    pytest.param(
        "  beta: 12",
        "\tbeta: 12",
        (
            "26, the text: it is not YAML (found character '\\t' that cannot start any token); allowed: "
            "well-formed YAML 1.1."
        ),
        id="tab",
    ),
    pytest.param(
        "roles: [functional_administrator]",
        "roles: [functional_administrator",
        ("15, the text: it is not YAML (expected ',' or ']', but got ':'); allowed: well-formed YAML 1.1."),
        id="unclosed",
    ),
    pytest.param(
        "prices: {excel",
        "---\nprices: {excel",
        "31, the text: a second document begins here; allowed: one document in a file.",
        id="second document",
    ),
    pytest.param(
        "Jan Jansen",
        "Jan \x07 Jansen",
        "12, the text: it holds the character U+0007; allowed: printable text in UTF-8.",
        id="control character",
    ),
    pytest.param(
        WHOLE,
        "- customer: acme\n",
        "1, the text: it is not a mapping; allowed: keys and values, such as 'customer: acme'.",
        id="a list",
    ),
    pytest.param(
        WHOLE,
        "# nothing here\n",
        "1, the text: it is not a mapping; allowed: keys and values, such as 'customer: acme'.",
        id="nothing",
    ),
    pytest.param(
        "beta: 12",
        "beta: [[[[[[[[[[[[12]]]]]]]]]]]]",
        "26, the text: it is nested too deeply; allowed: at most 12 levels.",
        id="nested too deeply",
    ),
    pytest.param(
        "beta: 12",
        "[beta]: 12",
        "26, lead_times: a key is a list or a mapping; allowed: a word or a number as key.",
        id="key that is a list",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), DAMAGES)
def test_damage_is_told_with_file_line_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert GOOD.count(old) == 1
    file = tmp_path / "acme.yaml"
    file.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(AgreementError) as caught:
        load_agreement(file)
    assert str(caught.value) == f"acme.yaml, line {message}"


def test_there_are_thirty_damages_or_more() -> None:
    assert len(DAMAGES) >= 30


def test_the_undamaged_file_is_an_agreement(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert load_agreement(file).lead_times.beta == 12


def test_all_errors_are_told_in_order_of_lines() -> None:
    text = GOOD.replace("beta: 12", "beta: ten").replace("code: ACME", "code: acme")
    assert [error.line for error in agreement_errors(text, "acme.yaml")] == [3, 26]


def test_an_error_carries_its_parts_as_data() -> None:
    (error,) = agreement_errors(GOOD.replace("beta: 12", "beta: ten"), "acme.yaml")
    assert (error.file, error.line, error.key) == ("acme.yaml", 26, "lead_times.beta")
    assert (error.allowed, error.code, error.exit_status) == ("0 to 260", "NK1001", 2)


def test_a_thousandfold_alias_is_refused_before_it_unfolds() -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    (error,) = agreement_errors(laughs, "acme.yaml")
    assert str(error) == (
        "acme.yaml, line 1, the text: it uses an anchor or an alias; "
        "allowed: each value written out where it belongs."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "no such file or directory", id="no file"),
        pytest.param(b"name: \xff", "byte 6 is not UTF-8", id="not text"),
        pytest.param(b"#" * ((1 << 20) + 1), "it is larger than 1048576 bytes", id="too large"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "acme.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(AgreementFileError) as caught:
        load_agreement(file)
    assert str(caught.value) == f"acme.yaml cannot be read as an agreement: {message}."


def test_text_as_large_as_a_bomb_is_refused() -> None:
    (error,) = agreement_errors("#" * ((1 << 20) + 1), "acme.yaml")
    assert error.data["allowed"] == "at most 1 MiB"
