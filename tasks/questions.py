"""Builds the gates of a process: who is asked, in which words, by when, who hears when it stays open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nakoming.agreement.calendar import WorkingCalendar
from nakoming.agreement.clocks import end_of_day, end_of_service_hours
from nakoming.agreement.gate_rules import GateRule, Kind, Verb
from nakoming.agreement.local_time import local_date, to_utc
from nakoming.records import agreements
from nakoming.records.gate_model import GateSpec, Nudge
from tasks import people
from tasks.texts import question

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from nakoming.agreement.gate_rules import Seat
    from nakoming.agreement.terms import Agreement, Vendor
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun


@dataclass(frozen=True, kw_only=True)
class Due:
    """A deadline with what it stands on. `origin` is sla, agreement or ours; customer: their own time."""

    by: datetime
    clause: str
    origin: str
    closes: bool = False


@dataclass(frozen=True)
class Desk:
    """What a question is made with: the terms of the case, the officers of today, the present instant.

    Terms are those the case was opened under; officers are today's, for authority is judged on the date of
    the act (D-10).
    """

    terms: Agreement
    listed: Agreement
    vendor: Vendor
    now: datetime

    @classmethod
    def open(cls, tx: Tx, customer: str, version: int) -> Desk:
        """The desk of a case at this instant."""
        terms = agreements.get(tx, customer, version)
        return cls(terms, agreements.get(tx, customer), agreements.vendor(tx), tx.now)

    @property
    def today(self) -> date:
        """The local date."""
        return local_date(self.now)

    @property
    def calendar(self) -> WorkingCalendar:
        """The agreed working days."""
        return WorkingCalendar.from_terms(self.terms)

    def customer_seats(self, *roles: str) -> tuple[Seat, ...]:
        """The customer's officers in these roles today."""
        return people.customer_seats(self.listed, roles, self.today)

    def vendor_seats(self, *roles: str) -> tuple[Seat, ...]:
        """The vendor's officers in these roles today."""
        return people.vendor_seats(self.vendor, roles, self.today)

    def our_duty(self, term: str, *, start_on: date | None = None) -> Due:
        """The end of service hours so many working days from now, as the term says."""
        found = self.terms.term(term)
        last_on = self.calendar.add_working_days(start_on or self.today, int(found.value))
        last_on = self.calendar.first_working_day_on_or_after(last_on)
        by = end_of_service_hours(last_on, self.terms.service_hours)
        return Due(by=by, clause=found.clause, origin=str(found.origin))

    def their_right(self, term: str) -> Due:
        """24:00 of the day so many working days from now: the customer's own time, never a breach of ours."""
        found = self.terms.term(term)
        last_on = self.calendar.add_working_days(self.today, int(found.value))
        return Due(by=end_of_day(last_on), clause=found.clause, origin="customer")

    def gate(
        self,
        name: str,
        kind: Kind,
        seats: tuple[Seat, ...],
        words: str,
        values: dict[str, str],
        *,
        verbs: tuple[Verb, ...] = (),
        options: tuple[str, ...] = (),
        excluded: tuple[str, ...] = (),
        documents: Sequence[str] = (),
        due: Due | None = None,
        label: str,
    ) -> GateSpec:
        """The gate itself, with reminders and the escalation ladder of the agreement."""
        rule = GateRule(kind=kind, seats=seats, verbs=verbs, options=options, excluded=excluded)
        return GateSpec(
            name=name,
            rule=rule,
            question=question(words, **values),
            contacts=people.contacts_for(rule, self.listed, self.vendor),
            documents=tuple(documents),
            due_by=due.by if due else None,
            closes_at_deadline=due.closes if due else False,
            clause=due.clause if due else None,
            due_origin=due.origin if due else "customer",
            nudges=self._nudges(due),
            label=label,
        )

    def delivery(
        self,
        name: str,
        role: str,
        words: str,
        values: dict[str, str],
        *,
        documents: Sequence[str] = (),
        due: Due | None = None,
        label: str,
    ) -> GateSpec:
        """The vendor's officer in this role supplies a document or a fact."""
        return self.gate(
            name,
            Kind.DELIVERY,
            self.vendor_seats(role),
            words,
            values,
            verbs=(Verb.DELIVER,),
            documents=documents,
            due=due,
            label=label,
        )

    def approval(
        self,
        name: str,
        role: str,
        words: str,
        values: dict[str, str],
        *,
        otherwise: Verb,
        documents: Sequence[str] = (),
        due: Due,
        label: str,
    ) -> GateSpec:
        """The customer's officer in this role approves, or answers `otherwise`."""
        return self.gate(
            name,
            Kind.APPROVAL,
            self.customer_seats(role),
            words,
            values,
            verbs=(Verb.APPROVE, otherwise),
            documents=documents,
            due=due,
            label=label,
        )

    def _nudges(self, due: Due | None) -> tuple[Nudge, ...]:
        """Reminders at the opening of service hours, then the ladder; none after a deadline that closes."""
        reminders = self.terms.reminders
        planned = [
            Nudge(kind="reminder", name=f"reminder/{number}", at=self._opening(days))
            for number, days in enumerate(reminders.after, start=1)
        ]
        days = reminders.escalate_after
        for number, level in enumerate(self.terms.escalation.levels, start=1):
            told = (*self.customer_seats(level.customer_role), *self.vendor_seats(level.vendor_role))
            contacts = people.contacts(told, self.listed, self.vendor)
            name = f"escalation/{number}"
            planned.append(Nudge(kind="escalation", name=name, at=self._opening(days), contacts=contacts))
            days += level.working_days
        last = due.by if due and due.closes else None
        return tuple(nudge for nudge in planned if last is None or nudge.at < last)

    def _opening(self, working_days: int) -> datetime:
        on = self.calendar.add_working_days(self.today, working_days)
        return to_utc(on, self.terms.service_hours.start)


def desk_of(tx: Tx, case: CaseRun) -> Desk:
    """What questions and notices of a case are made with, at this instant."""
    return Desk.open(tx, case.customer, case.case.agreement_version)
