"""Which ends an agreement may name: the Suite with a database, an inbox or both, or nothing at all."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nakoming.agreement.erp_terms import Erp

pytestmark = pytest.mark.clause("S-4.2.1")


@pytest.mark.parametrize(
    ("named", "exchanged"),
    [
        ({}, False),
        ({"connection": "a", "suite": "s"}, True),
        ({"inbox": "i", "suite": "s"}, True),
        ({"connection": "a", "inbox": "i", "suite": "s"}, True),
    ],
)
def test_both_ends_or_neither_are_named(named: dict[str, str], *, exchanged: bool) -> None:
    assert Erp.model_validate(named).is_exchanged is exchanged


@pytest.mark.parametrize("named", [("connection",), ("inbox",), ("connection", "inbox"), ("suite",)])
def test_one_end_alone_is_refused(named: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="only one end of the exchange is named"):
        Erp.model_validate(dict.fromkeys(named, "block"))
