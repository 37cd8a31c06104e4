"""Who sits at the table of a gate on a date, and for whom they speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.agreement.errors import NobodyAuthorisedError
from nakoming.agreement.people import Person, deputies, holders
from nakoming.agreement.values import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date


class Seat(Frozen):
    """A role at the table and who may sit there on the date of the question.

    `persons` holds everyone who may answer, deputies among them. `holders` are those of them who hold the
    role in their own name (default: all). `stand_ins` pairs a deputy with the holder they stand in for, so
    that "all persons" asks for one of the two and not for both.
    """

    role: str
    persons: tuple[str, ...]
    holders: tuple[str, ...] = ()
    stand_ins: tuple[tuple[str, str], ...] = ()

    def stands_for(self, person: str) -> frozenset[str]:
        """Return whose voice `person` brings: their own as a holder, and those they stand in for."""
        if person not in self.persons:
            return frozenset()
        own = {person} & set(self.holders or self.persons)
        return frozenset(own | {holder for deputy, holder in self.stand_ins if deputy == person})


def resolve_seats(persons: Sequence[Person], roles: Iterable[str], on_date: date) -> tuple[Seat, ...]:
    """Return one seat per role with everyone who may act in it on `on_date`, deputies included (D-10).

    Raises:
        NobodyAuthorisedError: a role is held by nobody on that date.
    """
    return tuple(_seat(persons, str(role), on_date) for role in roles)


def _seat(persons: Sequence[Person], role: str, on: date) -> Seat:
    own = holders(persons, role, on)
    if not own:
        raise NobodyAuthorisedError(role=role, on=on.isoformat(), advice=_advice(persons, role))
    stand_ins = tuple((deputy.id, holder.id) for holder in own for deputy in deputies(persons, holder, on))
    seated = tuple(dict.fromkeys((*(holder.id for holder in own), *(deputy for deputy, _ in stand_ins))))
    return Seat(role=role, persons=seated, holders=tuple(holder.id for holder in own), stand_ins=stand_ins)


def _advice(persons: Sequence[Person], role: str) -> str:
    listed = [person for person in persons if role in person.own_roles]
    if not listed:
        return f"add a person with the role {role} to the agreement"
    dates = ", ".join(
        f"{person.id} ({person.valid_from or '…'} to {person.valid_until or '…'})" for person in listed
    )
    return f"add a successor valid on that date, or correct the dates of {dates}"
