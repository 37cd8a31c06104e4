"""What people at the customer do in the Suite: on its own pages, each thing once.

What a page shows is looked at first, so that a demo that was killed goes on where it stood.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx

from demo.play.errors import SilentError, SuiteRefusedError
from demo.play.web import AGAIN_SECONDS, PATIENCE_SECONDS, Browser

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    Order = dict[str, Any]

WORKERS: Final = ("Bram de Lasser", "Żaneta Wójcik", "Cees van 't Hof")
MINUTES: Final = 95
MATERIAL: Final = {"article": "M16-8.8", "quantity": "12,5", "unit": "st"}
WISH: Final = "Volgens de tekening van de werkvloer"
"""What the shop floor would like an order to be called, until the ERP says otherwise."""


@dataclass(frozen=True)
class ShopFloor:
    """The people at work, at the address of the Suite."""

    address: str
    today: date

    def register_hours(self, number: str, worker: str) -> None:
        """Register a worker's minutes on the first operation of an order.

        Raises:
            SuiteRefusedError: the Suite did not take them.
        """

        def is_there(order: Order) -> bool:
            return any(hours["employee"] == worker for hours in order["hours"])

        def filled(order: Order) -> dict[str, str]:
            operation = str(order["operations"][0]["id"])
            worked = {"employee": worker, "worked_on": self.today.isoformat(), "minutes": str(MINUTES)}
            return {"operation": operation, **worked}

        self._until(number, "hours", is_there, filled)

    def register_material(self, number: str) -> None:
        """Register material that was used for an order; `SuiteRefusedError` as above."""
        self._until(number, "materials", lambda order: bool(order["materials"]), lambda _: dict(MATERIAL))

    def begin(self, number: str) -> None:
        """Start an order; `SuiteRefusedError` as above."""
        self._until(
            number, "status", lambda order: order["status"] == "started", lambda _: {"status": "started"}
        )

    def rename(self, number: str) -> None:
        """Change what an order is called; `SuiteRefusedError` as above."""

        def filled(order: Order) -> dict[str, str]:
            kept = {"quantity": str(order["quantity"]), "due_on": order["due_on"]}
            return {"description": WISH, **kept}

        self._until(number, "master-data", lambda order: order["description"] == WISH, filled)

    def _until(
        self,
        number: str,
        what: str,
        is_there: Callable[[Order], bool],
        filled: Callable[[Order], dict[str, str]],
    ) -> None:
        """Fill in a form of an order's page until the order shows it.

        The browser sends a form once only: after an answer that got lost the order tells whether it is there.
        """
        give_up = time.monotonic() + PATIENCE_SECONDS
        form = f"{self.address}/orders/{quote(number, safe='')}/{what}"
        with Browser() as reading, Browser(patience_seconds=0.0) as writing:
            while not is_there(order := self._order(reading, number, what)):
                try:
                    answer = writing.post(form, data=filled(order))
                except SilentError:
                    if time.monotonic() > give_up:
                        raise
                    time.sleep(AGAIN_SECONDS)  # until the Suite takes it: an exchange may be loading just now
                else:
                    self._check(answer, number, what)

    def _order(self, browser: Browser, number: str, what: str) -> Order:
        answer = browser.get(f"{self.address}/api/orders/{quote(number, safe='')}")
        self._check(answer, number, what)
        order: Order = answer.json()
        return order

    def _check(self, answer: httpx.Response, number: str, what: str) -> None:
        if answer.status_code != httpx.codes.OK:
            reason = f"status {answer.status_code}: {answer.text[:200]}"
            raise SuiteRefusedError(url=self.address, what=what, order=number, reason=reason)
