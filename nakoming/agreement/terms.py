"""One customer's agreement, and the vendor that keeps it: data, with the SLA's values as defaults."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from nakoming.agreement.backup_terms import Backup
from nakoming.agreement.calendar import CalendarYear
from nakoming.agreement.erp_terms import Erp
from nakoming.agreement.errors import UnknownTermError
from nakoming.agreement.metadata import Term, walk_terms
from nakoming.agreement.people import CustomerPerson, Language, VendorPerson
from nakoming.agreement.term_groups import (
    Availability,
    Consultation,
    Deployment,
    Environments,
    Escalation,
    Exit,
    LeadTimes,
    Prices,
    Reminders,
    Retention,
    ServiceHours,
    Tickets,
    Windows,
)
from nakoming.agreement.values import Code, Day, Email, Frozen, Line, Slug, Year

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class ContractYear:
    """One contract year, both dates included; `number` counts from 1."""

    number: int
    start_on: date
    end_on: date


class Agreement(Frozen):
    """The terms of one customer. Every override of a term names its document under `sources` (S-1.1.1)."""

    customer: Slug = Field(description="Short name of the customer, as in the name of the file.")
    name: Line = Field(description="Name of the customer as it stands in the agreement.")
    code: Code = Field(description="Short name in keys of cases, such as ACME.")
    language: Language = Field(description="Language of mails and pages: nl or en.")
    contract_start_on: Day = Field(description="First day of the contract; contract years begin on it.")
    calendars: dict[Year, CalendarYear] = Field(description="Agreed days off, per year.")
    persons: tuple[CustomerPerson, ...] = Field(description="Officers of the customer.")
    environments: Environments = Field(description="Environments, reached by the blocks named.")
    sources: dict[Line, Line] = Field(
        default_factory=dict, description="Dotted path to the document that says so."
    )
    features: tuple[Slug, ...] = Field(
        default=(), description="Optional parts of the Suite this customer uses."
    )
    specific_rfcs: tuple[Line, ...] = Field(default=(), description="Specific extensions (S-2.3.5).")
    remarks: str = ""
    service_hours: ServiceHours = ServiceHours()
    tickets: Tickets = Tickets()
    windows: Windows = Windows()
    lead_times: LeadTimes = LeadTimes()
    reminders: Reminders = Reminders()
    deployment: Deployment = Deployment()
    retention: Retention = Retention()
    backup: Backup = Backup()
    erp: Erp = Erp()
    availability: Availability = Availability()
    prices: Prices = Prices()
    exit: Exit = Exit()
    consultation: Consultation = Consultation()
    escalation: Escalation = Escalation()

    def terms(self) -> Iterator[Term]:
        """Yield every term with its clause and origin, in the order of the model."""
        return walk_terms(self)

    def term(self, path: str) -> Term:
        """Return the term at a dotted path, such as `lead_times.beta`.

        Raises:
            UnknownTermError: there is no such term.
        """
        known = {term.path: term for term in self.terms()}
        if path not in known:
            near = difflib.get_close_matches(path, known, n=3) or sorted(known)[:3]
            raise UnknownTermError(path=path, near=", ".join(near))
        return known[path]

    def source_of(self, path: str) -> str | None:
        """Return the document that overrides the term at `path`: the longest prefix under `sources`."""
        parts = path.split(".")
        prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((self.sources[prefix] for prefix in prefixes if prefix in self.sources), None)

    def contract_year(self, on: date) -> ContractYear:
        """Return the contract year in which `on` lies (S-3.1.2a).

        Raises:
            ValueError: `on` lies before the contract.
        """
        if on < self.contract_start_on:
            raise ValueError(f"{on} lies before the contract, which began on {self.contract_start_on}")
        number = on.year - self.contract_start_on.year + 1
        if on < self._anniversary(number - 1):
            number -= 1
        return ContractYear(
            number, self._anniversary(number - 1), self._anniversary(number) - timedelta(days=1)
        )

    def _anniversary(self, years: int) -> date:
        start = self.contract_start_on
        try:
            return start.replace(year=start.year + years)
        except ValueError:
            # A contract of 29 February turns a year on 1 March, so that no year is a day short.
            return date(start.year + years, 3, 1)


class Vendor(Frozen):
    """The vendor's own officers, who deliver and decide through the same links as customers."""

    name: Line
    language: Language
    operators_email: Email = Field(description="Where what is stuck or refused is reported.")
    persons: tuple[VendorPerson, ...]
