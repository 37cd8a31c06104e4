"""What is wrong in the ERP's data, and how often: sown by a plan, so that what is found can be compared."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum, auto
from random import Random
from typing import Final

from demo.errors import ErpOrdersTooFew
from demo.orders import ORDERS

FEWEST_ORDERS: Final = 200
CLOSED_ORDERS: Final = 5
FIRST_NUMBER: Final = 100_001
_STRANGER: Final = 900_001
_DUTCH_DATE_EVERY: Final = 5


class Kind(StrEnum):
    """What is the matter with an order; each has one thing at most."""

    NEGATIVE_QUANTITY = auto()
    TEXT_QUANTITY = auto()
    YEAR_ONE = auto()
    EMPTY_ARTICLE = auto()
    IDENTICAL_TWICE = auto()
    TWO_VERSIONS = auto()
    OPERATION_IDENTICAL_TWICE = auto()
    OPERATION_TWO_VERSIONS = auto()
    NEGATIVE_MATERIAL = auto()
    DELETED = auto()
    WITHOUT_OPERATIONS = auto()
    PADDED_KEY = auto()
    UNICODE = auto()
    FORMULA = auto()
    CLOSED = auto()


BAD: Final = (Kind.NEGATIVE_QUANTITY, Kind.TEXT_QUANTITY, Kind.YEAR_ONE, Kind.EMPTY_ARTICLE)
"""What keeps an order out of the Suite."""

PER_100_000: Final = {
    Kind.NEGATIVE_QUANTITY: 100,
    Kind.TEXT_QUANTITY: 60,
    Kind.YEAR_ONE: 100,
    Kind.EMPTY_ARTICLE: 80,
    Kind.IDENTICAL_TWICE: 100,
    Kind.TWO_VERSIONS: 100,
    Kind.OPERATION_IDENTICAL_TWICE: 80,
    Kind.OPERATION_TWO_VERSIONS: 80,
    Kind.NEGATIVE_MATERIAL: 80,
    Kind.DELETED: 500,
    Kind.WITHOUT_OPERATIONS: 400,
    Kind.PADDED_KEY: 200,
    Kind.UNICODE: 5_000,
    Kind.FORMULA: 40,
}
ORPHAN_OPERATIONS_PER_100_000: Final = 120
ORPHAN_MATERIALS_PER_100_000: Final = 40


@dataclass(frozen=True, kw_only=True)
class Mess:
    """What stands in a fresh ERP, in rows; the order numbers that are needed by name are named.

    Attributes:
        orders: different order numbers, deleted ones included.
        order_rows: rows of erp_orders; likewise the two after it.
        negative_quantities: orders with a quantity below zero; with the next three, the bad orders.
        text_quantities: orders whose quantity is no number.
        year_one_dates: orders due on 01-01-0001.
        empty_articles: orders whose article is absent, empty or blank.
        identical_orders: rows that repeat an order's row exactly, row version included.
        older_orders: rows that hold an earlier version of an order that stands there too.
        identical_operations: likewise, of operations.
        older_operations: likewise, of operations.
        orphan_operations: operations of orders that stand nowhere.
        orphan_materials: materials of orders that stand nowhere.
        operations_of_bad_orders: good in themselves, but their order cannot be loaded.
        materials_of_bad_orders: likewise.
        negative_materials: materials with a quantity below zero, of good orders.
        deleted_orders: rows marked as deleted; their operations and materials are gone.
        orders_without_operations: good orders without any.
        padded_orders: orders whose number ends in blanks, in all three tables.
        unicode_orders: orders with signs from everywhere in name and description.
        formulas: orders whose description begins with an equals sign.
        dutch_dates: rows of orders with a due date as DD-MM-YYYY, those of the year one not counted.
        closed: numbers of good orders on which the ERP refuses registrations.
    """

    orders: int
    order_rows: int
    operation_rows: int
    material_rows: int
    negative_quantities: int
    text_quantities: int
    year_one_dates: int
    empty_articles: int
    identical_orders: int
    older_orders: int
    identical_operations: int
    older_operations: int
    orphan_operations: int
    orphan_materials: int
    operations_of_bad_orders: int
    materials_of_bad_orders: int
    negative_materials: int
    deleted_orders: int
    orders_without_operations: int
    padded_orders: int
    unicode_orders: int
    formulas: int
    dutch_dates: int
    closed: tuple[str, ...]

    @property
    def bad_orders(self) -> int:
        """Orders that cannot be loaded."""
        return self.negative_quantities + self.text_quantities + self.year_one_dates + self.empty_articles

    @property
    def good_orders(self) -> int:
        """Orders that stand in the Suite after a full load."""
        return self.orders - self.bad_orders - self.deleted_orders

    @property
    def good_operations(self) -> int:
        """Operations that stand in the Suite after a full load."""
        twice = self.identical_operations + self.older_operations
        return self.operation_rows - twice - self.orphan_operations - self.operations_of_bad_orders

    @property
    def good_materials(self) -> int:
        """Planned materials that stand in the Suite after a full load."""
        bad = self.orphan_materials + self.materials_of_bad_orders + self.negative_materials
        return self.material_rows - bad


class Plan:
    """Which order gets which mess: the same for the same number of orders and seed, whatever the database.

    Orders are known by their place from 0. The first are the ones the Suite's customers start with
    (`demo.orders`), and nothing is the matter with those.
    """

    def __init__(self, orders: int, seed: int) -> None:
        """Draw the places.

        Raises:
            ErpOrdersTooFew: There would not be one order for each mess.
        """
        if orders < FEWEST_ORDERS:
            reason = f"each mess needs an order, so {FEWEST_ORDERS} is the least"
            raise ErpOrdersTooFew(wanted=orders, done="made", reason=reason)
        self.orders = orders
        self.orphan_operations = _share(ORPHAN_OPERATIONS_PER_100_000, orders)
        self.orphan_materials = _share(ORPHAN_MATERIALS_PER_100_000, orders)
        wanted = {kind: _share(share, orders) for kind, share in PER_100_000.items()}
        wanted[Kind.CLOSED] = CLOSED_ORDERS
        random = Random(seed)  # noqa: S311 - a draw that can be repeated is what is wanted
        drawn = iter(random.sample(range(ORDERS, orders), sum(wanted.values())))
        self.kinds = {next(drawn): kind for kind, count in wanted.items() for _ in range(count)}
        self._salt = random.getrandbits(32)

    def spin(self, place: int) -> int:
        """A number below 2 ** 32 that looks drawn; quicker than a draw, and independent of its order."""
        return ((place + 1) * 2_654_435_761 ^ self._salt) * 2_246_822_519 >> 7 & 0xFFFFFFFF

    def number(self, place: int) -> str:
        """The order number at a place after the first ones, without what pads it."""
        return str(FIRST_NUMBER + place - ORDERS)

    def stranger(self, place: int) -> str:
        """An order number that stands nowhere."""
        return str(_STRANGER + place)

    def is_dutch(self, place: int) -> bool:
        """Whether the due date is written DD-MM-YYYY."""
        return place >= ORDERS and (self.spin(place) >> 9) % _DUTCH_DATE_EVERY == 0

    def operations(self, place: int) -> int:
        """How many operations an order after the first ones has."""
        if self.kinds.get(place) in {Kind.WITHOUT_OPERATIONS, Kind.DELETED}:
            return 0
        return 2 + place % 3

    def materials(self, place: int) -> int:
        """How many materials an order has."""
        return 0 if self.kinds.get(place) is Kind.DELETED else 1 + place % 3

    def mess(self, first_operations: int) -> Mess:
        """What this plan sows; the first orders bring so many operations."""
        count = Counter(self.kinds.values())
        bad = [place for place, kind in self.kinds.items() if kind in BAD]
        later = range(ORDERS, self.orders)
        return Mess(
            orders=self.orders,
            order_rows=self.orders + count[Kind.IDENTICAL_TWICE] + count[Kind.TWO_VERSIONS],
            operation_rows=first_operations
            + sum(map(self.operations, later))
            + self.orphan_operations
            + count[Kind.OPERATION_IDENTICAL_TWICE]
            + count[Kind.OPERATION_TWO_VERSIONS],
            material_rows=sum(map(self.materials, range(self.orders))) + self.orphan_materials,
            negative_quantities=count[Kind.NEGATIVE_QUANTITY],
            text_quantities=count[Kind.TEXT_QUANTITY],
            year_one_dates=count[Kind.YEAR_ONE],
            empty_articles=count[Kind.EMPTY_ARTICLE],
            identical_orders=count[Kind.IDENTICAL_TWICE],
            older_orders=count[Kind.TWO_VERSIONS],
            identical_operations=count[Kind.OPERATION_IDENTICAL_TWICE],
            older_operations=count[Kind.OPERATION_TWO_VERSIONS],
            orphan_operations=self.orphan_operations,
            orphan_materials=self.orphan_materials,
            operations_of_bad_orders=sum(map(self.operations, bad)),
            materials_of_bad_orders=sum(map(self.materials, bad)),
            negative_materials=count[Kind.NEGATIVE_MATERIAL],
            deleted_orders=count[Kind.DELETED],
            orders_without_operations=count[Kind.WITHOUT_OPERATIONS],
            padded_orders=count[Kind.PADDED_KEY],
            unicode_orders=count[Kind.UNICODE],
            formulas=count[Kind.FORMULA],
            dutch_dates=sum(map(self._dutch_rows, later)),
            closed=tuple(self.number(place) for place in self._places(Kind.CLOSED)),
        )

    def _places(self, wanted: Kind) -> list[int]:
        return sorted(place for place, kind in self.kinds.items() if kind is wanted)

    def _dutch_rows(self, place: int) -> int:
        kind = self.kinds.get(place)
        if kind is Kind.YEAR_ONE or not self.is_dutch(place):
            return 0
        return 2 if kind in {Kind.IDENTICAL_TWICE, Kind.TWO_VERSIONS} else 1


def _share(per_100_000: int, orders: int) -> int:
    """At least one of each, however small the ERP."""
    return max(1, per_100_000 * orders // 100_000)
