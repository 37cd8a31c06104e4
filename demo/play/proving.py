"""The end of the play: production shows the new field, and the evidence verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx

from demo.environment_folder import EnvironmentFolder
from demo.play.errors import EvidenceDamagedError, FieldMissingError
from nakoming.records import evidence_check

if TYPE_CHECKING:
    from pathlib import Path

    from demo.play.web import Browser
    from nakoming.records.store import Records

FIELD: Final = "urgency"
HEADING: Final = "Spoedcode"


def suite_address(root: Path, customer: str, environment: str) -> str:
    """Where an environment of the customer's Suite answers; empty when it has never run."""
    return str(EnvironmentFolder(root, customer, environment).read_json("service.json").get("url", ""))


def check_production(browser: Browser, address: str) -> int:
    """See that every order of production has the field, on the page and for the ERP; how many there are.

    Raises:
        FieldMissingError: it is not there.
    """
    page, api = browser.get(f"{address}/"), browser.get(f"{address}/api/orders")
    if page.status_code != httpx.codes.OK or HEADING not in page.text:
        raise FieldMissingError(url=address, field=HEADING, shown=f"its page has no column '{HEADING}'")
    orders = api.json()["orders"]
    without = [order["number"] for order in orders if not order.get(FIELD)]
    if without or not orders:
        shown = f"without it are {', '.join(without)}" if without else "there are no orders"
        raise FieldMissingError(url=address, field=FIELD, shown=shown)
    return len(orders)


def check_evidence(records: Records) -> None:
    """See that all chains verify.

    Raises:
        EvidenceDamagedError: something was changed, removed or cut off.
    """
    damage = [finding.text for finding in evidence_check.verify(records) if finding.is_damage]
    if damage:
        raise EvidenceDamagedError(findings=" ".join(damage))
