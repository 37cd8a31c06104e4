"""Who may act, in which role, on which dates, and who stands in for whom (S-2.2.1, D-10)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from pydantic import Field, model_validator

from nakoming.agreement.values import Day, Email, Frozen, Line, Phone, Slug, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

Language = Literal["nl", "en"]


class CustomerRole(StrEnum):
    """What an officer of the customer may be."""

    FUNCTIONAL_ADMINISTRATOR = "functional_administrator"
    CLUSTER_MANAGER = "cluster_manager"
    MANAGEMENT = "management"
    REPRESENTATIVE = "representative"
    KEY_USER = "key_user"


class VendorRole(StrEnum):
    """What an officer of the vendor may be."""

    ANALYST = "analyst"
    BUILDER = "builder"
    TESTER = "tester"
    RELEASE_MANAGER = "release_manager"
    SUPPORT = "support"
    ACCOUNT_MANAGER = "account_manager"
    SALES_DIRECTOR = "sales_director"
    OPERATOR = "operator"


class Deputy(Frozen):
    """A period, both dates included, in which a person also acts with the roles of another."""

    person: Slug
    from_on: Day = Field(alias="from")
    until_on: Day = Field(alias="until")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.from_on > self.until_on:
            raise refusal(
                f"it ends on {self.until_on}, before it begins", f"a last day from {self.from_on} on"
            )
        return self

    def covers(self, on: date) -> bool:
        """Tell whether the deputy stands in on `on`."""
        return self.from_on <= on <= self.until_on


class Person(Frozen):
    """A named officer with a mailbox of their own; without dates, authorised for as long as listed."""

    id: Slug
    name: Line
    email: Email
    phone: Phone | None = None
    language: Language | None = None
    valid_from: Day | None = None
    valid_until: Day | None = Field(
        default=None, description="The last day on which the person is authorised."
    )
    deputy_for: tuple[Deputy, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if (
            self.valid_from is not None
            and self.valid_until is not None
            and self.valid_from > self.valid_until
        ):
            problem = f"the authority ends on {self.valid_until}, before it begins"
            raise refusal(problem, f"a last day from {self.valid_from} on")
        return self

    @property
    def own_roles(self) -> frozenset[str]:
        """The roles the person holds in their own name."""
        return frozenset()

    def is_valid_on(self, on: date) -> bool:
        """Tell whether the person is authorised at all on `on`."""
        begun = self.valid_from is None or self.valid_from <= on
        return begun and (self.valid_until is None or on <= self.valid_until)


class CustomerPerson(Person):
    """An officer of the customer."""

    roles: tuple[CustomerRole, ...] = ()

    @property
    def own_roles(self) -> frozenset[str]:
        """The roles the person holds in their own name."""
        return frozenset(role.value for role in self.roles)


class VendorPerson(Person):
    """An officer of the vendor."""

    roles: tuple[VendorRole, ...] = ()

    @property
    def own_roles(self) -> frozenset[str]:
        """The roles the person holds in their own name."""
        return frozenset(role.value for role in self.roles)


P = TypeVar("P", bound=Person)


def holders(persons: Iterable[Person], role: str, on: date) -> tuple[Person, ...]:
    """Return who holds `role` in their own name on `on`."""
    return tuple(person for person in persons if role in person.own_roles and person.is_valid_on(on))


def deputies(persons: Iterable[Person], principal: Person, on: date) -> tuple[Person, ...]:
    """Return who stands in for `principal` on `on`; a deputy's authority ends with the principal's."""
    if not principal.is_valid_on(on):
        return ()
    return tuple(
        person
        for person in persons
        if person.is_valid_on(on)
        and any(deputy.person == principal.id and deputy.covers(on) for deputy in person.deputy_for)
    )


def authorised(persons: Sequence[Person], role: str, on: date) -> tuple[Person, ...]:
    """Return everyone who may act with `role` on `on`: holders first, then their deputies, nobody twice."""
    own = holders(persons, role, on)
    stand_ins = (deputy for holder in own for deputy in deputies(persons, holder, on))
    return tuple({person.id: person for person in (*own, *stand_ins)}.values())


def find_person(persons: Iterable[P], person_id: str) -> P | None:
    """Return the person with that id, None when there is none."""
    return next((person for person in persons if person.id == person_id), None)
