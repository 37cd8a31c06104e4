"""What goes to an ERP with other columns: named as its own contract says, read back and compared by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_contracts.loading import FOLDER, contract_text
from tasks.erp import mending, outward
from tasks.erp import write_back as back
from tests.harness.erp import CUSTOMER, NOON

if TYPE_CHECKING:
    from tests.harness.erp import BothSides

pytestmark = pytest.mark.clause("S-4.2.1")
RENAMED = {"op_no": "bewerking", "minutes": "minuten", "external_key": "sleutel"}


def own() -> dict[str, str]:
    """The contract of hours with three columns called otherwise, each given as before."""
    text = contract_text(FOLDER / "hours_out.yaml")
    for name, theirs in RENAMED.items():
        column = f"      - name: {name}\n"
        head, found, tail = text.partition(column)
        assert found
        given = f"        customProperties:\n          - {{property: givenAs, value: {name}}}\n"
        tail = tail.replace("        customProperties:\n", given, 1)
        text = head + column.replace(name, theirs) + tail
    return {"hours_out": text}


def test_another_erp_is_written_to_by_its_own_names(both: BothSides) -> None:
    for name, theirs in RENAMED.items():
        both.in_erp(f"ALTER TABLE erp_hours_in RENAME COLUMN {name} TO {theirs}")
    both.fetch("orders", full=True)
    closed = set(both.mess.closed)
    rows = both.suite_rows("SELECT number FROM production_orders ORDER BY number")
    order = next(row[0] for row in rows if row[0] not in closed)
    both.send("hours_out", order, op_no=10, employee="J. de Boer", worked_on="2026-11-20", minutes=45)
    engine, contracts = both.suite.engine(), own()
    with both.erp.connect() as session:
        written = back.write_back(session, engine, CUSTOMER, lambda: NOON, own=contracts)
        assert written == back.WrittenBack(acknowledged=1)
        compared = outward.compare(session, engine, "hours_out", CUSTOMER, NOON, contracts)
        assert compared.is_equal
        assert compared.sums == {"minuten": ("45", "45")}  # the number of an operation adds up to nothing
    both.in_erp("UPDATE erp_hours_in SET minuten = 44")
    with both.erp.connect() as session:
        mended = mending.mend(session, engine, CUSTOMER, NOON, own=contracts)
        assert (mended.read_back, mended.mended, mended.unmended) == (1, 1, ())
