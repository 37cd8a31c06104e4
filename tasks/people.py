"""Who is asked: the officers of a date, named so that the customer's and the vendor's never mix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.agreement.gate_rules import Seat, resolve_seats
from nakoming.agreement.people import find_person
from nakoming.records.gate_model import Contact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from nakoming.agreement.gate_rules import GateRule
    from nakoming.agreement.people import Person
    from nakoming.agreement.terms import Agreement, Vendor

VENDOR = "vendor"


def named(side: str, person_id: str) -> str:
    """A person as the records name them: `<customer or vendor>:<person id>`."""
    return f"{side}:{person_id}"


def seats(side: str, persons: Sequence[Person], roles: Iterable[str], on: date) -> tuple[Seat, ...]:
    """The seats of these roles on a date, deputies included, with persons as the records name them.

    Raises:
        NobodyAuthorisedError: a role is held by nobody on that date.
    """
    return tuple(_named(side, seat) for seat in resolve_seats(persons, roles, on))


def customer_seats(agreement: Agreement, roles: Iterable[str], on: date) -> tuple[Seat, ...]:
    """The customer's officers in these roles."""
    return seats(agreement.customer, agreement.persons, roles, on)


def vendor_seats(vendor: Vendor, roles: Iterable[str], on: date) -> tuple[Seat, ...]:
    """The vendor's officers in these roles."""
    return seats(VENDOR, vendor.persons, roles, on)


def _named(side: str, seat: Seat) -> Seat:
    return Seat(
        role=seat.role,
        persons=tuple(named(side, person) for person in seat.persons),
        holders=tuple(named(side, person) for person in seat.holders),
        stand_ins=tuple((named(side, deputy), named(side, holder)) for deputy, holder in seat.stand_ins),
    )


def contacts(seated: Iterable[Seat], agreement: Agreement, vendor: Vendor) -> tuple[Contact, ...]:
    """How everyone at the table is reached, each once."""
    found = {
        person: _contact(person, seat.role, agreement, vendor) for seat in seated for person in seat.persons
    }
    return tuple(found.values())


def contacts_for(rule: GateRule, agreement: Agreement, vendor: Vendor) -> tuple[Contact, ...]:
    """How those are reached who may answer a gate; who is excluded gets no link."""
    return tuple(c for c in contacts(rule.seats, agreement, vendor) if c.person not in rule.excluded)


def _contact(person: str, role: str, agreement: Agreement, vendor: Vendor) -> Contact:
    side, _, person_id = person.partition(":")
    listed: Sequence[Person] = vendor.persons if side == VENDOR else agreement.persons
    language = vendor.language if side == VENDOR else agreement.language
    found = find_person(listed, person_id)
    if found is None:
        msg = f"{person} is seated but not listed"
        raise AssertionError(msg)
    return Contact(
        person=person, name=found.name, email=found.email, language=found.language or language, role=role
    )
