"""The values of the SLA, grouped; each default is the SLA's own or, where the SLA is silent, the vendor's.

Units: working days, days, minutes and hours stand in each type; derived durations are properties.
"""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from nakoming.agreement.clocks import CalendarTime, ServiceTime
from nakoming.agreement.metadata import ours, sla
from nakoming.agreement.people import CustomerRole, VendorRole
from nakoming.agreement.values import (
    BlockName,
    Days,
    Euro,
    Frozen,
    Hours,
    Minutes,
    Months,
    Percent,
    Times,
    Url,
    WallTime,
    WorkingDays,
    refusal,
)
from nakoming.agreement.windows import Window, WindowKind

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class ServiceHours(Frozen):
    """When the service desk works, in Europe/Amsterdam."""

    start: WallTime = sla(time(8, 30), "S-2.2.26", "Opening time of the service desk.")
    end: WallTime = sla(time(17, 30), "S-2.2.26", "Closing time of the service desk.")
    days: tuple[Weekday, ...] = sla(("mon", "tue", "wed", "thu", "fri"), "S-2.2.26", "Days of service hours.")

    @model_validator(mode="after")
    def _open(self) -> Self:
        if self.start >= self.end:
            raise refusal(
                "the service hours end before they begin", f"an end after {self.start:%H:%M}, the same day"
            )
        if not self.days or len(set(self.days)) != len(self.days):
            raise refusal("the days are empty or name one twice", "at least one of mon to sun, each once")
        return self


class _Priority(Frozen):
    """Targets of one priority; minutes are minutes of service hours."""

    reaction_minutes: Minutes
    reaction_percent: Percent
    resolution_minutes: Minutes | None
    resolution_percent: Percent

    @property
    def reaction(self) -> ServiceTime:
        """The time in which the vendor reacts."""
        return ServiceTime(timedelta(minutes=self.reaction_minutes))

    @property
    def resolution(self) -> ServiceTime | None:
        """The time in which the vendor resolves; None: according to the planning agreed for each ticket."""
        return (
            None
            if self.resolution_minutes is None
            else ServiceTime(timedelta(minutes=self.resolution_minutes))
        )


class PriorityA(_Priority):
    """Work is possible, with nuisance (S-2.2.16)."""

    reaction_minutes: Minutes = sla(1440, "S-2.2.27", "24 service hours.")
    reaction_percent: Percent = sla(Decimal(75), "S-2.2.27", "Share of reactions in time.")
    resolution_minutes: Minutes | None = sla(None, "S-2.2.28", "None: according to planning.")
    resolution_percent: Percent = sla(Decimal(75), "S-2.2.28", "Share of resolutions in time.")


class PriorityB(_Priority):
    """Functions that are not critical are blocked (S-2.2.17)."""

    reaction_minutes: Minutes = sla(480, "S-2.2.29", "8 service hours.")
    reaction_percent: Percent = sla(Decimal(90), "S-2.2.29", "Share of reactions in time.")
    resolution_minutes: Minutes | None = sla(2700, "S-2.2.30", "One work week: 45 service hours.")
    resolution_percent: Percent = sla(Decimal(75), "S-2.2.30", "Share of resolutions in time.")


class PriorityC(_Priority):
    """Business-critical functions are blocked (S-2.2.18)."""

    reaction_minutes: Minutes = sla(30, "S-2.2.31", "30 minutes, when reported by telephone.")
    reaction_percent: Percent = sla(Decimal(99), "S-2.2.31", "Share of reactions in time.")
    resolution_minutes: Minutes | None = sla(540, "S-2.2.33", "One working day: 9 service hours.")
    resolution_percent: Percent = sla(Decimal(75), "S-2.2.33", "Share of resolutions in time.")


class Tickets(Frozen):
    """Targets of the service desk per priority."""

    a: PriorityA = PriorityA()
    b: PriorityB = PriorityB()
    c: PriorityC = PriorityC()


class Windows(Frozen):
    """When the vendor may work on an environment."""

    production_release: Window = sla(
        Window(kind=WindowKind.FIRST_WEEKEND, start=time(16), end=time(19)),
        "S-2.6.10",
        "Releases and updates.",
    )
    bugfix: Window = sla(Window(kind=WindowKind.DAILY, start=time(20), end=time(21)), "S-2.6.9", "Bug fixes.")
    service: Window = sla(
        Window(kind=WindowKind.DAILY, start=time(2), end=time(3)),
        "S-3.1.9",
        "Backup; outside the availability.",
    )


class LeadTimes(Frozen):
    """How long before, or within how long; working days unless the name says otherwise."""

    beta: WorkingDays = sla(10, "S-2.6.1", "Beta on acceptance at least so long before the release date.")
    acceptance_last_day: WorkingDays = sla(
        3, "S-2.6.4", "Last day to object or accept, before the release date."
    )
    judgement: WorkingDays = ours(10, "S-2.3.2a", "Judging a request: specific or generic.")
    quote: WorkingDays = ours(10, "S-2.3.3", "Submitting a quote.")
    quote_validity: Days = ours(30, "S-2.3.4", "How many calendar days a quote is valid.")
    planning: WorkingDays = ours(10, "S-2.3.4", "Planning after the customer's approval.")
    generic_notice: WorkingDays = ours(5, "S-2.3.6", "Telling in which release a generic request comes.")
    document_delivery: WorkingDays = ours(
        10, "S-2.3.2b", "Delivering a requirement analysis or specification."
    )
    customer_response: WorkingDays = ours(10, "S-2.3.2c", "The customer's answer to a document put to them.")
    intake_confirmation: WorkingDays = ours(
        2, "S-2.2.1", "Confirming a request of a sender who is not listed."
    )
    maintenance_notice: WorkingDays = ours(5, "S-2.4.9", "Notice before planned maintenance.")
    urgent_notice_minutes: Minutes = ours(30, "S-2.6.12", "Notice before urgent work in office hours.")


class Reminders(Frozen):
    """When an open question is repeated, in working days after it was put; then the ladder begins."""

    after: tuple[WorkingDays, ...] = ours((2, 5), "S-2.3.2g", "Working days after which a reminder goes out.")
    escalate_after: WorkingDays = ours(10, "S-3.2.1", "Working days after which level 1 is told.")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.after) != sorted(set(self.after)):
            raise refusal(f"the reminders {list(self.after)} do not rise", "each later than the one before")
        if self.after and self.after[-1] > self.escalate_after:
            raise refusal(
                "the escalation comes before the last reminder", f"{self.after[-1]} or more working days"
            )
        return self


class Deployment(Frozen):
    """How long an installation and its rollback take, as measured on acceptance."""

    deploy_minutes: Minutes = ours(10, "S-2.6.9", "Measured duration of an installation.")
    rollback_minutes: Minutes = ours(10, "S-2.6.13", "Measured duration of a rollback.")

    @property
    def needed(self) -> timedelta:
        """What must be left of a window before an installation may start (finish-by)."""
        return timedelta(minutes=self.deploy_minutes + self.rollback_minutes)


class Retention(Frozen):
    """How long backups are kept."""

    backup_days: Days = sla(7, "S-2.4.3", "History of backups, at most.")


class Availability(Frozen):
    """What is promised of the whole service."""

    percent: Percent = sla(Decimal("99.5"), "S-3.1.2a", "Availability over one contract year.")
    reaction_minutes: Minutes = sla(30, "S-3.1.0b", "Reaction from detection, day and night.")
    resolution_hours: Hours = sla(24, "S-3.1.0c", "Resolution from detection, day and night.")
    inform_after_minutes: Minutes = ours(60, "S-2.4.10", "Interruption after which all customers are told.")

    @property
    def reaction(self) -> CalendarTime:
        """The time in which the vendor reacts to an outage."""
        return CalendarTime(timedelta(minutes=self.reaction_minutes))

    @property
    def resolution(self) -> CalendarTime:
        """The time in which the vendor resolves an outage."""
        return CalendarTime(timedelta(hours=self.resolution_hours))


class Prices(Frozen):
    """Price lines, in euro excluding VAT."""

    documents_export: Euro = sla(Decimal("760.00"), "S-4.2.7", "Export of documents, per delivery.")
    excel_export: Euro = sla(Decimal("300.00"), "S-4.2.8", "Export in Excel, per delivery.")
    database_export: Euro = sla(
        Decimal("0.00"), "S-4.2.6", "Backup file of the data, once, at a regular end."
    )


class Exit(Frozen):
    """Times of the end of an agreement, in working days."""

    overview: WorkingDays = ours(5, "S-4.2.2", "Overview of all transactions.")
    receipt: WorkingDays = ours(1, "S-4.2.12", "Confirming a request.")
    confirmation: WorkingDays = ours(5, "S-4.2.13", "Confirming how it is carried out.")
    destruction: WorkingDays = sla(5, "S-4.2.19", "Destroying all data after the discharge.")
    continuity_months: Months = sla(3, "S-4.1.1", "Hosting after the vendor's end of business.")
    source_code: WorkingDays = ours(5, "S-4.1.3", "Handing over the source code after that.")


class Consultation(Frozen):
    """How often the parties meet, per contract year."""

    service_level: Times = sla(4, "S-3.2.5", "Service Level Overleg.")
    business_account: Times = sla(4, "S-3.2.6", "Business Accountoverleg.")
    strategic: Times = sla(1, "S-3.2.7", "Strategic consultation.")


class _Level(Frozen):
    """One level of the escalation model: who speaks with whom, and how long before the next level."""

    customer_role: CustomerRole
    vendor_role: VendorRole
    working_days: WorkingDays


class Level1(_Level):
    """Functional administrator and support."""

    customer_role: CustomerRole = sla(
        CustomerRole.FUNCTIONAL_ADMINISTRATOR, "S-3.2.2", "Who speaks for the customer."
    )
    vendor_role: VendorRole = sla(VendorRole.SUPPORT, "S-3.2.2", "Who speaks for the vendor.")
    working_days: WorkingDays = ours(1, "S-3.2.2", "Time for level 1.")


class Level2(_Level):
    """Cluster manager and account manager."""

    customer_role: CustomerRole = sla(CustomerRole.CLUSTER_MANAGER, "S-3.2.3", "Who speaks for the customer.")
    vendor_role: VendorRole = sla(VendorRole.ACCOUNT_MANAGER, "S-3.2.3", "Who speaks for the vendor.")
    working_days: WorkingDays = ours(2, "S-3.2.3", "Time for level 2.")


class Level3(_Level):
    """Management and sales director."""

    customer_role: CustomerRole = sla(CustomerRole.MANAGEMENT, "S-3.2.4", "Who speaks for the customer.")
    vendor_role: VendorRole = sla(VendorRole.SALES_DIRECTOR, "S-3.2.4", "Who speaks for the vendor.")
    working_days: WorkingDays = ours(5, "S-3.2.4", "Time for level 3.")


class Escalation(Frozen):
    """The escalation model, from level 1 to level 3."""

    level_1: Level1 = Level1()
    level_2: Level2 = Level2()
    level_3: Level3 = Level3()

    @property
    def levels(self) -> tuple[Level1, Level2, Level3]:
        """The levels in order."""
        return self.level_1, self.level_2, self.level_3


class Environment(Frozen):
    """One environment: the deploy block that reaches it, its address, other blocks by purpose."""

    deploy: BlockName
    url: Url | None = None
    connections: dict[BlockName, BlockName] = Field(default_factory=dict)


class Environments(Frozen):
    """The two environments of a customer (S-2.6.3)."""

    acceptance: Environment = Field(description="The acceptance environment, with its deploy block.")
    production: Environment = Field(description="The production environment, with its deploy block.")
