"""Who sits at the table on a date, deputies included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nakoming.agreement.errors import NobodyAuthorisedError
from nakoming.agreement.gate_rules import Seat, resolve_seats
from nakoming.agreement.loading import load_agreement, load_vendor
from nakoming.agreement.people import CustomerPerson, CustomerRole, Deputy, VendorRole, authorised, deputies
from tests.nakoming.agreement.dated import day

if TYPE_CHECKING:
    from pathlib import Path

FA = CustomerRole.FUNCTIONAL_ADMINISTRATOR


@pytest.mark.parametrize(
    ("on", "persons", "stand_ins"),
    [
        pytest.param("Fri 2026-12-11", ("femi-adeyemi",), (), id="before the deputy's period"),
        pytest.param(
            "Mon 2026-12-14",
            ("femi-adeyemi", "pieter-oost"),
            (("pieter-oost", "femi-adeyemi"),),
            id="its first day",
        ),
        pytest.param(
            "Fri 2027-01-08",
            ("femi-adeyemi", "pieter-oost"),
            (("pieter-oost", "femi-adeyemi"),),
            id="its last day",
        ),
        pytest.param("Mon 2027-01-11", ("femi-adeyemi",), (), id="after it"),
        pytest.param("Tue 2027-06-01", ("femi-adeyemi", "greta-holm"), (), id="the successor's first day"),
        pytest.param("Thu 2027-07-01", ("greta-holm",), (), id="after the predecessor's last day"),
    ],
)
def test_seats_follow_the_dates_of_the_agreement(
    demo_agreements: Path, on: str, persons: tuple[str, ...], stand_ins: tuple[tuple[str, str], ...]
) -> None:
    kestrel = load_agreement(demo_agreements / "kestrel.yaml")
    (seat,) = resolve_seats(kestrel.persons, (FA,), day(on))
    assert (seat.role, seat.persons, seat.stand_ins) == ("functional_administrator", persons, stand_ins)
    assert tuple(person.id for person in authorised(kestrel.persons, FA, day(on))) == persons


def test_one_seat_for_each_role_in_the_order_asked(demo_agreements: Path) -> None:
    vendor = load_vendor(demo_agreements / "vendor.yaml")
    seats = resolve_seats(vendor.persons, (VendorRole.TESTER, VendorRole.ANALYST), day("Mon 2026-11-23"))
    assert seats == (
        Seat(role="tester", persons=("noor-bakker",), holders=("noor-bakker",)),
        Seat(role="analyst", persons=("ines-verhoeven",), holders=("ines-verhoeven",)),
    )


@pytest.mark.parametrize(
    ("role", "on", "message"),
    [
        pytest.param(
            "auditor",
            "Mon 2026-11-23",
            "Nobody holds the role auditor on 2026-11-23; "
            "add a person with the role auditor to the agreement.",
            id="a role nobody has",
        ),
        pytest.param(
            "key_user",
            "Mon 2026-11-23",
            "Nobody holds the role key_user on 2026-11-23; add a successor valid on that date, "
            "or correct the dates of greta-holm (2027-06-01 to …).",
            id="not yet",
        ),
    ],
)
def test_an_empty_role_is_refused_with_whom_to_add(
    demo_agreements: Path, role: str, on: str, message: str
) -> None:
    kestrel = load_agreement(demo_agreements / "kestrel.yaml")
    with pytest.raises(NobodyAuthorisedError) as caught:
        resolve_seats(kestrel.persons, (role,), day(on))
    assert str(caught.value) == message


def test_a_deputy_s_authority_ends_with_the_principal_s() -> None:
    last = day("Wed 2027-06-30")
    ada = CustomerPerson(id="ada", name="Ada", email="ada@plain.example", valid_until=last)
    period = Deputy(person="ada", from_on=last, until_on=day("Thu 2027-07-01"))
    dee = CustomerPerson(id="dee", name="Dee", email="dee@plain.example", deputy_for=(period,))
    assert deputies((ada, dee), ada, last) == (dee,)
    assert deputies((ada, dee), ada, day("Thu 2027-07-01")) == ()
