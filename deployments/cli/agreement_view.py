"""Shows an agreement as it was loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployments.cli import printing
from nakoming.agreement.local_time import local_date
from nakoming.agreement.terms import Vendor
from nakoming.records import agreements
from tasks.installation import records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from nakoming.agreement.metadata import Term
    from nakoming.agreement.people import Person
    from nakoming.agreement.terms import Agreement
    from nakoming.records.store import Tx


def show(customer: str, *, terms: bool, as_json: bool) -> None:
    """Print officers, and terms when they are asked for; `UnknownAgreement` for an unknown customer."""
    with records().read() as tx:
        version = agreements.newest_version(tx, customer)
        found = _found(tx, customer)
        today = local_date(tx.now)
    if as_json:
        printing.emit(_as_data(found, version, today, terms=terms))
        return
    _show_head(found, version)
    printing.table(_PERSON_COLUMNS, [_person_row(each, today) for each in found.persons], title="Officers")
    if terms:
        rows = [_term_row(found, term) for term in _terms(found)]
        printing.table(("term", "value", "clause", "origin", "source"), rows, title="Terms", empty="None.")


def _found(tx: Tx, customer: str) -> Agreement | Vendor:
    return agreements.vendor(tx) if customer == agreements.VENDOR else agreements.get(tx, customer)


def _show_head(found: Agreement | Vendor, version: int) -> None:
    facts: list[tuple[str, Any]] = [("Name", found.name), ("Version", version), ("Language", found.language)]
    if not isinstance(found, Vendor):
        facts += [
            ("Contract from", found.contract_start_on),
            ("Working days agreed for", tuple(sorted(found.calendars))),
            ("Acceptance", f"block {found.environments.acceptance.deploy}"),
            ("Production", f"block {found.environments.production.deploy}"),
            ("Remarks", found.remarks or None),
        ]
    else:
        facts.append(("Operators", found.operators_email))
    printing.facts(facts)


_PERSON_COLUMNS = ("person", "name", "roles", "address", "from", "until", "today", "stands in for")


def _person_row(person: Person, today: date) -> Sequence[Any]:
    return (
        person.id,
        person.name,
        tuple(sorted(person.own_roles)),
        person.email,
        person.valid_from,
        person.valid_until,
        "valid" if person.is_valid_on(today) else "not valid",
        tuple(f"{each.person} ({each.from_on} to {each.until_on})" for each in person.deputy_for),
    )


def _terms(found: Agreement | Vendor) -> list[Term]:
    return list(found.terms()) if not isinstance(found, Vendor) else []


def _term_row(found: Agreement | Vendor, term: Term) -> Sequence[Any]:
    return (term.path, term.value, term.clause, term.origin, _source(found, term))


def _source(found: Agreement | Vendor, term: Term) -> str | None:
    if term.origin != "agreement" or isinstance(found, Vendor):
        return None
    return found.source_of(term.path)


def _as_data(found: Agreement | Vendor, version: int, today: date, *, terms: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"version": version, "name": found.name, "language": found.language}
    data["persons"] = [
        person.model_dump(by_alias=True) | {"valid_today": person.is_valid_on(today)}
        for person in found.persons
    ]
    if isinstance(found, Vendor):
        return data | {"customer": agreements.VENDOR, "operators_email": found.operators_email}
    data |= {
        "customer": found.customer,
        "contract_start_on": found.contract_start_on,
        "environments": found.environments,
        "calendars": sorted(found.calendars),
    }
    if terms:
        data["terms"] = [
            {
                "path": term.path,
                "value": term.value,
                "clause": term.clause,
                "origin": term.origin,
                "source": _source(found, term),
            }
            for term in _terms(found)
        ]
    return data
