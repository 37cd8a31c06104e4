"""The rows of a fresh ERP, made one after another, so that filling it holds none of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from demo.erp.mess import Kind
from demo.orders import BUYERS, FIRST_DUE_ON, MATERIALS, OPERATIONS, ORDERS, PRODUCTS, STATUSES, orders_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from demo.erp.mess import Mess, Plan

    Row = tuple[Any, ...]

PADDING: Final = "  "
BOLT: Final = "🔩"
STRANGE_BUYERS: Final = (
    "Żółw i Źdźbło Sp. z o.o., Łęczyca",
    "İğne Çelik Şirketi, Iğdır / ılık işler",
    "Cafe\N{COMBINING ACUTE ACCENT} Zoe\N{COMBINING DIAERESIS} A\N{COMBINING RING ABOVE}lesund",
    "Van\N{NO-BREAK SPACE}der\N{NO-BREAK SPACE}Meer\N{NARROW NO-BREAK SPACE}& Zn.",
    "👩🏽‍🏭 Werkplaats Ñandú 🇳🇱",
)
_TEXT_QUANTITIES: Final = ("twaalf", "12 st", "n.v.t.", "?", "12 á 14", "")
_EMPTY_ARTICLES: Final = ("", None, "   ")
_FORMULAS: Final = ("=1+1", "=SUM(A1:A9) volgens opgave", '=HYPERLINK("https://erp.example","zie hier")')
_YEAR_ONE: Final = "01-01-0001"
_DUE_DAYS: Final = 400
CHANGED_WITHIN: Final = timedelta(days=30)
_INSTANTS: Final = 10_000


@dataclass(frozen=True)
class _Order:
    """What is told of one order; deleted or not, good or not."""

    number: str
    buyer: str
    article: str | None
    description: str
    quantity: str
    due: str
    status: str
    deleted: int = 0


class Rows:
    """All rows of one plan, in the order of their versions; to be walked once, orders first."""

    def __init__(
        self, plan: Plan, customer: str, language: str, as_of: datetime, within: timedelta = CHANGED_WITHIN
    ) -> None:
        self.plan = plan
        self._customer = customer
        self._steps = OPERATIONS[language]
        self._first = orders_for(customer, language)
        self._versions = count(1)
        self._last = 0
        self.mess: Mess = plan.mess(sum(len(order["operations"]) for order in self._first))
        pace = within / _INSTANTS
        begin = as_of.replace(tzinfo=None) - within
        self._instants = [(begin + pace * step).isoformat(" ", "microseconds") for step in range(_INSTANTS)]
        twice = self.mess.identical_orders + self.mess.identical_operations
        rows = self.mess.order_rows + self.mess.operation_rows + self.mess.material_rows
        self._all = rows - twice
        dates = [FIRST_DUE_ON + timedelta(days=day) for day in range(_DUE_DAYS)]
        self._dates = [day.isoformat() for day in dates]
        self._dutch_dates = [day.strftime("%d-%m-%Y") for day in dates]

    @property
    def last_version(self) -> int:
        """The highest row version given so far."""
        return self._last

    def orders(self) -> Iterator[Row]:
        """The rows of erp_orders."""
        for place in range(self.plan.orders):
            kind = self.plan.kinds.get(place)
            order = self._order(place, kind)
            if kind is Kind.TWO_VERSIONS:
                older = self._written(order, quantity=str(int(order.quantity) + 1))
                yield from _either_way(place, older, self._written(order))
                continue
            row = self._written(order)
            yield row
            if kind is Kind.IDENTICAL_TWICE:
                yield row

    def operations(self) -> Iterator[Row]:
        """The rows of erp_operations."""
        for order in self._first:
            for step in order["operations"]:
                yield order["number"], step["sequence"], step["name"], step["planned_minutes"], *self._stamp()
        for place in range(ORDERS, self.plan.orders):
            number, kind = self._key(place), self.plan.kinds.get(place)
            for line in range(self.plan.operations(place)):
                yield from self._operation(place, number, line, kind)
        for place in range(self.plan.orphan_operations):
            yield self._step(place, self.plan.stranger(place), 0)

    def materials(self) -> Iterator[Row]:
        """The rows of erp_materials."""
        for place in range(self.plan.orders):
            number, kind = self._key(place), self.plan.kinds.get(place)
            for line in range(self.plan.materials(place)):
                sign = "-" if kind is Kind.NEGATIVE_MATERIAL and line == 0 else ""
                yield self._material(place, number, line, sign)
        for place in range(self.plan.orphan_materials):
            yield self._material(place, self.plan.stranger(place), 0, "")

    def _key(self, place: int) -> str:
        if place < ORDERS:
            return str(self._first[place]["number"])
        number = self.plan.number(place)
        return number + PADDING if self.plan.kinds.get(place) is Kind.PADDED_KEY else number

    def _order(self, place: int, kind: Kind | None) -> _Order:
        if place < ORDERS:
            return self._first_order(self._first[place])
        spin = self.plan.spin(place)
        article, description = PRODUCTS[self._customer][spin % len(PRODUCTS[self._customer])]
        buyers = STRANGE_BUYERS if kind is Kind.UNICODE else BUYERS
        dates = self._dutch_dates if self.plan.is_dutch(place) else self._dates
        return _Order(
            self._key(place),
            buyers[(spin >> 3) % len(buyers)],
            _EMPTY_ARTICLES[place % len(_EMPTY_ARTICLES)] if kind is Kind.EMPTY_ARTICLE else article,
            _described(place, kind, description),
            _quantity(place, kind, 1 + (spin >> 17) % 96),
            _YEAR_ONE if kind is Kind.YEAR_ONE else dates[(spin >> 12) % _DUE_DAYS],
            STATUSES[place * len(STATUSES) // self.plan.orders],
            int(kind is Kind.DELETED),
        )

    @staticmethod
    def _first_order(known: dict[str, Any]) -> _Order:
        return _Order(
            known["number"],
            known["customer"],
            known["article"],
            known["description"],
            str(known["quantity"]),
            known["due_on"],
            known["status"],
        )

    def _written(self, order: _Order, quantity: str | None = None) -> Row:
        version, at = self._stamp()
        values = (order.number, order.buyer, order.article, order.description, quantity or order.quantity)
        return *values, order.due, order.status, version, at, order.deleted

    def _operation(self, place: int, number: str, line: int, kind: Kind | None) -> Iterator[Row]:
        row = self._step(place, number, line)
        if line == 0 and kind is Kind.OPERATION_TWO_VERSIONS:
            yield from _either_way(place, row, (*row[:3], row[3] + 5, *self._stamp()))
            return
        yield row
        if line == 0 and kind is Kind.OPERATION_IDENTICAL_TWICE:
            yield row

    def _step(self, place: int, number: str, line: int) -> Row:
        name, minutes = self._steps[(place + line) % len(self._steps)]
        return number, 10 * (line + 1), name, minutes + 5 * (place % 6), *self._stamp()

    def _material(self, place: int, number: str, line: int, sign: str) -> Row:
        kinds = MATERIALS[self._customer]
        item, unit = kinds[(place + line) % len(kinds)]
        thousandths = 125 + self.plan.spin(place * 3 + line) % 90_000
        quantity = f"{sign}{thousandths // 1000}.{thousandths % 1000:03d}"
        return number, 10 * (line + 1), item, quantity, unit, *self._stamp()

    def _stamp(self) -> tuple[int, str]:
        """The next row version and its time, which rise together; a row written twice shares both."""
        self._last = version = next(self._versions)
        return version, self._instants[version * (_INSTANTS - 1) // self._all]


def _either_way(place: int, older: Row, newer: Row) -> tuple[Row, Row]:
    """Two versions, the newer one first or last: who takes the last row as the newest is wrong."""
    return (older, newer) if place % 2 else (newer, older)


def _quantity(place: int, kind: Kind | None, quantity: int) -> str:
    if kind is Kind.TEXT_QUANTITY:
        return _TEXT_QUANTITIES[place % len(_TEXT_QUANTITIES)]
    return f"-{quantity}" if kind is Kind.NEGATIVE_QUANTITY else str(quantity)


def _described(place: int, kind: Kind | None, description: str) -> str:
    if kind is Kind.UNICODE:
        return f"{description} {BOLT} naïve\N{NO-BREAK SPACE}Ø"
    return _FORMULAS[place % len(_FORMULAS)] if kind is Kind.FORMULA else description
