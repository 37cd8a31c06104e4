"""Terms: the SLA's values as defaults, whose a value is, contract years, the schema for editors."""

from __future__ import annotations

import hashlib
import json
import pickle
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nakoming.agreement.errors import AgreementError, UnknownTermError
from nakoming.agreement.loading import (
    agreement_sha256,
    json_schema,
    load_agreement,
    load_vendor,
    parse_agreement,
)
from nakoming.agreement.schema import rendered_schema
from nakoming.agreement.terms import Agreement
from nakoming.agreement.windows import Window, WindowKind
from tests.nakoming.agreement.dated import day

ROOT = Path(__file__).parents[3]
CUSTOMERS = ["brouwer", "fenwick", "kestrel"]


@pytest.mark.parametrize(
    ("path", "value", "clause", "origin"),
    [
        ("service_hours.start", time(8, 30), "S-2.2.26", "sla"),
        ("service_hours.end", time(17, 30), "S-2.2.26", "sla"),
        ("tickets.a.reaction_minutes", 24 * 60, "S-2.2.27", "sla"),
        ("tickets.a.reaction_percent", 75, "S-2.2.27", "sla"),
        ("tickets.a.resolution_minutes", None, "S-2.2.28", "sla"),
        ("tickets.b.reaction_minutes", 8 * 60, "S-2.2.29", "sla"),
        ("tickets.b.reaction_percent", 90, "S-2.2.29", "sla"),
        ("tickets.b.resolution_minutes", 45 * 60, "S-2.2.30", "sla"),
        ("tickets.c.reaction_minutes", 30, "S-2.2.31", "sla"),
        ("tickets.c.reaction_percent", 99, "S-2.2.31", "sla"),
        ("tickets.c.resolution_minutes", 9 * 60, "S-2.2.33", "sla"),
        ("lead_times.beta", 10, "S-2.6.1", "sla"),
        ("lead_times.acceptance_last_day", 3, "S-2.6.4", "sla"),
        ("lead_times.judgement", 10, "S-2.3.2a", "ours"),
        ("lead_times.quote_validity", 30, "S-2.3.4", "ours"),
        ("lead_times.intake_confirmation", 2, "S-2.2.1", "ours"),
        ("retention.backup_days", 7, "S-2.4.3", "sla"),
        ("availability.percent", Decimal("99.5"), "S-3.1.2a", "sla"),
        ("prices.documents_export", Decimal(760), "S-4.2.7", "sla"),
        ("prices.excel_export", Decimal(300), "S-4.2.8", "sla"),
        ("escalation.level_1.working_days", 1, "S-3.2.2", "ours"),
        ("escalation.level_3.customer_role", "management", "S-3.2.4", "sla"),
        (
            "windows.production_release",
            Window(kind=WindowKind.FIRST_WEEKEND, start=time(16), end=time(19)),
            "S-2.6.10",
            "sla",
        ),
        (
            "windows.bugfix",
            Window(kind=WindowKind.DAILY, start=time(20), end=time(21)),
            "S-2.6.9",
            "sla",
        ),
    ],
)
def test_a_default_is_the_sla_s_value_and_knows_its_clause(
    plain: Agreement, path: str, value: Any, clause: str, origin: str
) -> None:
    term = plain.term(path)
    assert (term.path, term.value, term.clause, term.origin) == (path, value, clause, origin)


def test_derived_times_have_their_unit(plain: Agreement) -> None:
    assert plain.tickets.b.reaction.duration == timedelta(hours=8)
    assert plain.tickets.a.resolution is None
    assert plain.availability.resolution.duration == timedelta(hours=24)
    assert plain.deployment.needed == timedelta(minutes=20)


@pytest.mark.parametrize("customer", CUSTOMERS)
def test_every_clause_named_exists_in_the_sla_s_numbering(demo_agreements: Path, customer: str) -> None:
    agreement = load_agreement(demo_agreements / f"{customer}.yaml")
    parts = [term.clause.removeprefix("S-").split(".") for term in agreement.terms()]
    assert all(len(part) == 3 and part[0] in "234" and part[1].isdigit() for part in parts)
    assert len(parts) == len({term.path for term in agreement.terms()}) > 50


@pytest.mark.parametrize(
    ("path", "origin", "source"),
    [
        ("retention.backup_days", "agreement", "Contract KC-2025-118, annex B"),
        ("windows.bugfix", "agreement", "Contract KC-2025-118, article 6.4"),
        ("lead_times.quote_validity", "agreement", "Contract KC-2025-118, article 7.2"),
        ("windows.service", "sla", None),
        ("lead_times.judgement", "ours", None),
    ],
)
def test_an_override_is_the_agreement_s_and_names_its_document(
    demo_agreements: Path, path: str, origin: str, source: str | None
) -> None:
    kestrel = load_agreement(demo_agreements / "kestrel.yaml")
    assert (kestrel.term(path).origin, kestrel.source_of(path)) == (origin, source)


def test_a_value_stated_equal_to_the_default_is_the_agreement_s(plain_text: str) -> None:
    stated = plain_text + "lead_times: {judgement: 10}\n"
    with pytest.raises(AgreementError, match="stated without a document"):
        parse_agreement(stated, "plain.yaml")
    agreement = parse_agreement(stated + "sources: {lead_times.judgement: Contract 1}\n", "plain.yaml")
    assert agreement.term("lead_times.judgement").origin == "agreement"


def test_a_source_covers_whole_words_of_a_path_only(plain_text: str) -> None:
    stated = plain_text + "lead_times: {quote_validity: 20}\nsources: {lead_times.quote: Contract 1}\n"
    with pytest.raises(AgreementError) as caught:
        parse_agreement(stated, "plain.yaml")
    assert caught.value.key == "lead_times.quote_validity"


def test_an_unknown_term_names_its_neighbours(plain: Agreement) -> None:
    with pytest.raises(UnknownTermError) as caught:
        plain.term("lead_times.betas")
    assert "lead_times.beta" in caught.value.data["near"]


@pytest.mark.parametrize("customer", CUSTOMERS)
def test_a_demo_agreement_loads_and_survives_a_pickle(demo_agreements: Path, customer: str) -> None:
    agreement = load_agreement(demo_agreements / f"{customer}.yaml")
    assert agreement.customer == customer
    assert agreement.environments.production.deploy == f"{customer}-production"
    assert pickle.loads(pickle.dumps(agreement)) == agreement  # noqa: S301  # our own bytes
    assert all(person.email.endswith(".example") for person in agreement.persons)


def test_the_vendor_loads(demo_agreements: Path) -> None:
    vendor = load_vendor(demo_agreements / "vendor.yaml")
    assert {role.value for person in vendor.persons for role in person.roles} >= {
        "analyst",
        "builder",
        "tester",
    }
    assert vendor.operators_email.endswith(".example")


def test_an_agreement_cannot_be_changed(plain: Agreement) -> None:
    with pytest.raises(ValueError, match="frozen"):
        plain.lead_times.beta = 0


def test_yaml_words_mean_what_they_say(plain_text: str) -> None:
    text = plain_text.replace("Plain B.V.", "no") + 'features: [on, yes]\nremarks: "0736159988"\n'
    agreement = parse_agreement(text, "plain.yaml")
    assert (agreement.name, agreement.features, agreement.remarks) == ("no", ("on", "yes"), "0736159988")


def test_an_agreement_survives_json(plain: Agreement) -> None:
    stored = plain.model_dump(mode="json", by_alias=True)
    assert stored["service_hours"]["start"] == "08:30"
    again = Agreement.model_validate(json.loads(json.dumps(stored)))
    assert again == plain


def test_the_version_is_the_digest_of_the_file(demo_agreements: Path) -> None:
    file = demo_agreements / "kestrel.yaml"
    digest = agreement_sha256(file.read_text(encoding="utf-8"))
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("start", "on", "number", "first", "last"),
    [
        ("Thu 2026-01-01", "Thu 2026-12-31", 1, "Thu 2026-01-01", "Thu 2026-12-31"),
        ("Thu 2026-01-01", "Fri 2027-01-01", 2, "Fri 2027-01-01", "Fri 2027-12-31"),
        ("Mon 2026-06-15", "Mon 2027-06-14", 1, "Mon 2026-06-15", "Mon 2027-06-14"),
        ("Mon 2026-06-15", "Tue 2027-06-15", 2, "Tue 2027-06-15", "Wed 2028-06-14"),
        ("Thu 2024-02-29", "Fri 2025-02-28", 1, "Thu 2024-02-29", "Fri 2025-02-28"),
        ("Thu 2024-02-29", "Sat 2025-03-01", 2, "Sat 2025-03-01", "Sat 2026-02-28"),
        ("Thu 2024-02-29", "Tue 2028-02-29", 5, "Tue 2028-02-29", "Wed 2029-02-28"),
    ],
)
def test_contract_years_turn_on_the_anniversary(
    plain: Agreement, start: str, on: str, number: int, first: str, last: str
) -> None:
    agreement = plain.model_copy(update={"contract_start_on": day(start)})
    year = agreement.contract_year(day(on))
    assert (year.number, year.start_on, year.end_on) == (number, day(first), day(last))


def test_no_contract_year_before_the_contract(plain: Agreement) -> None:
    with pytest.raises(ValueError, match="lies before the contract, which began on 2026-01-01"):
        plain.contract_year(day("Wed 2025-12-31"))


@given(
    start=st.dates(date(2020, 1, 1), date(2028, 12, 31)),
    days=st.integers(0, 4000),
)
def test_every_date_lies_in_its_contract_year_and_years_touch(
    plain: Agreement, start: date, days: int
) -> None:
    agreement = plain.model_copy(update={"contract_start_on": start})
    on = start + timedelta(days=days)
    year = agreement.contract_year(on)
    assert year.start_on <= on <= year.end_on
    assert agreement.contract_year(year.end_on + timedelta(days=1)).start_on == year.end_on + timedelta(
        days=1
    )


def test_the_schema_in_the_reference_is_current() -> None:
    kept = (ROOT / "docs" / "reference" / "agreement.schema.json").read_text(encoding="utf-8")
    assert kept == rendered_schema()


@pytest.mark.parametrize("customer", CUSTOMERS)
def test_the_schema_accepts_the_demo_agreements(demo_agreements: Path, customer: str) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    text = (demo_agreements / f"{customer}.yaml").read_text(encoding="utf-8")
    # Editors read dates and years as JSON has them: text.
    data = json.loads(json.dumps(yaml.load(text, yaml.BaseLoader) | {}))  # noqa: S506  # text only
    typed = _numbers(data)
    jsonschema.validate(typed, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(typed | {"lead_times": {"beta": 261}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(typed | {"colour": "red"}, schema)


def _numbers(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _numbers(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_numbers(value) for value in data]
    if data in {"true", "false"}:
        return data == "true"
    return int(data) if data.isdigit() else data
