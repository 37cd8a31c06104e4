"""What one key alone cannot show: persons, calendars, sources and escalation checked against each other."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from nakoming.agreement.people import CustomerRole, Person, VendorRole, authorised, find_person
from nakoming.agreement.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nakoming.agreement.terms import Agreement, Vendor

ONE_DAY: Final = timedelta(days=1)
EARLIEST: Final = date(2000, 1, 1)
VENDOR_ALWAYS: Final = (
    VendorRole.SUPPORT,
    VendorRole.ACCOUNT_MANAGER,
    VendorRole.SALES_DIRECTOR,
    VendorRole.OPERATOR,
)


def agreement_problems(agreement: Agreement) -> Iterator[Problem]:
    """Yield everything wrong in `agreement` that its keys alone do not show."""
    yield from _person_problems(agreement.persons)
    yield from _role_problems(agreement)
    yield from _calendar_problems(agreement)
    yield from _source_problems(agreement)


def vendor_problems(vendor: Vendor) -> Iterator[Problem]:
    """Yield everything wrong in `vendor` that its keys alone do not show."""
    yield from _person_problems(vendor.persons)
    begins = [person.valid_from for person in vendor.persons if person.valid_from is not None]
    since = min(begins) if len(begins) == len(vendor.persons) and begins else EARLIEST
    for role in VENDOR_ALWAYS:
        gap = _first_gap(vendor.persons, role, since)
        if gap is not None:
            yield _vacant(role, gap, "S-3.2.2 to S-3.2.4")


def _person_problems(persons: Sequence[Person]) -> Iterator[Problem]:
    ids: dict[str, int] = {}
    mailboxes: dict[str, str] = {}
    for at, person in enumerate(persons):
        path = ("persons", str(at))
        if person.id in ids:
            allowed = "an id of its own for each person"
            yield Problem(
                (*path, "id"), f"{person.id!r} is the id of person {ids[person.id] + 1} as well", allowed
            )
        ids.setdefault(person.id, at)
        other = mailboxes.setdefault(person.email.lower(), person.id)
        if other != person.id:
            problem = f"{person.email!r} is the mailbox of {other} as well"
            yield Problem(
                (*path, "email"),
                problem,
                "a mailbox of their own for each person, because links are personal",
            )
        yield from _deputy_problems(persons, person, path)


def _deputy_problems(persons: Sequence[Person], person: Person, path: tuple[str, ...]) -> Iterator[Problem]:
    for at, deputy in enumerate(person.deputy_for):
        here = (*path, "deputy_for", str(at))
        principal = find_person(persons, deputy.person)
        if principal is None:
            known = ", ".join(each.id for each in persons if each.id != person.id)
            yield Problem(
                (*here, "person"), f"{deputy.person!r} is nobody of this file", known or "nobody yet"
            )
        elif principal.id == person.id:
            others = ", ".join(each.id for each in persons if each.id != person.id)
            yield Problem(
                (*here, "person"), f"{person.id!r} cannot stand in for themselves", others or "nobody yet"
            )
        else:
            yield from _period_problems(here, (deputy.from_on, deputy.until_on), person, principal)


def _period_problems(
    path: tuple[str, ...], period: tuple[date, date], person: Person, principal: Person
) -> Iterator[Problem]:
    for each in (person, principal):
        if not all(each.is_valid_on(on) for on in period):
            problem = f"{period[0]} to {period[1]} is not within the authority of {each.id}"
            yield Problem(path, problem, f"dates from {each.valid_from or '…'} to {each.valid_until or '…'}")
            return


def _role_problems(agreement: Agreement) -> Iterator[Problem]:
    always = {CustomerRole.FUNCTIONAL_ADMINISTRATOR: "S-2.2.1"}
    for level, clause in zip(agreement.escalation.levels, ("S-3.2.2", "S-3.2.3", "S-3.2.4"), strict=True):
        always.setdefault(level.customer_role, clause)
    for role, clause in always.items():
        gap = _first_gap(agreement.persons, role, agreement.contract_start_on)
        if gap is not None:
            yield _vacant(role, gap, clause)


def _vacant(role: str, gap: date, clause: str) -> Problem:
    allowed = f"somebody with that role, or their deputy, on every date from then on ({clause})"
    return Problem(("persons",), f"nobody is {role} on {gap}", allowed)


def _first_gap(persons: Sequence[Person], role: str, start: date) -> date | None:
    """Return the first date from `start` on which nobody may act as `role`; None when there is none.

    Authority can only end after somebody's last day, so only those days are looked at; a deputy acts
    beside the holder, so the end of a deputy's period opens no gap.
    """
    return next((on for on in sorted(_turns(persons, start)) if not authorised(persons, role, on)), None)


def _turns(persons: Iterable[Person], start: date) -> set[date]:
    ends = {person.valid_until + ONE_DAY for person in persons if person.valid_until is not None}
    return {start} | {on for on in ends if on > start}


def _calendar_problems(agreement: Agreement) -> Iterator[Problem]:
    years = sorted(agreement.calendars)
    if not years:
        yield Problem(
            ("calendars",),
            "no year is agreed",
            "at least the year of the contract's start or the current one",
        )
        return
    for before, year in itertools.pairwise(years):
        if year != before + 1:
            yield Problem(
                ("calendars", str(year)), f"the year {before + 1} is left out", "years without a gap"
            )
    if agreement.contract_start_on.year > years[-1]:
        problem = f"the years end with {years[-1]}, before the contract begins"
        yield Problem(("calendars",), problem, f"the year {agreement.contract_start_on.year} as well")
    for year in years:
        yield from _year_problems(agreement, year)


def _year_problems(agreement: Agreement, year: int) -> Iterator[Problem]:
    terms = agreement.calendars[year]
    for name, days in (("extra", terms.extra), ("working", terms.working)):
        for at, on in enumerate(days):
            path = ("calendars", str(year), name, str(at))
            if on.year != year:
                yield Problem(path, f"{on} does not lie in {year}", f"dates of {year}")
            elif name == "working" and on in terms.extra:
                yield Problem(
                    path, f"{on} is listed as a day off as well", "each date in one of extra and working"
                )


def _source_problems(agreement: Agreement) -> Iterator[Problem]:
    stated = [term.path for term in agreement.terms() if term.origin == "agreement"]
    for path in stated:
        if agreement.source_of(path) is None:
            problem = "the value is stated without a document that says so"
            allowed = f"a line under sources for {path}, or the default by leaving the key out"
            yield Problem(tuple(path.split(".")), problem, allowed)
    for source in agreement.sources:
        if not any(path == source or path.startswith(f"{source}.") for path in stated):
            allowed = ", ".join(stated) or "no source, because nothing is overridden"
            yield Problem(("sources", source), "it names nothing that this file overrides", allowed)
