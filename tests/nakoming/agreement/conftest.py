"""A good agreement with the SLA's own values, and its calendar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nakoming.agreement.calendar import WorkingCalendar
from nakoming.agreement.loading import parse_agreement

if TYPE_CHECKING:
    from nakoming.agreement.terms import Agreement

PLAIN = """\
customer: plain
name: Plain B.V.
code: PLAIN
language: nl
contract_start_on: 2026-01-01
calendars: {2025: {}, 2026: {}, 2027: {}, 2028: {}}
persons:
  - {id: ada, name: Ada Vos, email: ada@plain.example, roles: [functional_administrator]}
  - {id: bob, name: Bob Vos, email: bob@plain.example, roles: [cluster_manager, management]}
environments: {acceptance: {deploy: plain-acceptance}, production: {deploy: plain-production}}
"""


@pytest.fixture(scope="session")
def plain_text() -> str:
    """The text of an agreement that overrides nothing."""
    return PLAIN


@pytest.fixture(scope="session")
def plain() -> Agreement:
    """An agreement that overrides nothing."""
    return parse_agreement(PLAIN, "plain.yaml")


@pytest.fixture(scope="session")
def calendar(plain: Agreement) -> WorkingCalendar:
    """Its calendar: 2025 to 2028 as D-2 says."""
    return WorkingCalendar.from_terms(plain)


@pytest.fixture(scope="session")
def demo_agreements() -> Path:
    """The folder of the demo's agreements."""
    return Path(__file__).parents[3] / "agreements"
