"""What operators see of an exchange in the Prefect UI: months, keys, overrulings, certainty."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from blocks.erp.database import ErpDatabase
from blocks.suite_database import SuiteDatabase
from data_contracts.loading import FOLDER, parse_contract
from flows.erp_sync import erp_sync
from nakoming.records import documents
from tasks.erp import outbox_check, overruled, write_back
from tasks.erp.interfaces import Interface, interface
from tests.harness.erp import CUSTOMER, NOON, on_sqlite
from tests.harness.erp_pair import agree
from tests.harness.installation import installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.erp import BothSides
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-4.2.1")


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as found:
        agree(found, CUSTOMER)
        yield found


@pytest.fixture
def both(tmp_path: Path, prefect_api: PrefectServer, records: Records) -> Iterator[BothSides]:
    del prefect_api, records
    sides = on_sqlite(tmp_path)
    sides.erp.save(f"{CUSTOMER}-erp", overwrite=True)
    sides.suite.save(f"{CUSTOMER}-suite", overwrite=True)
    sides.fetch_all(full=True)
    yield sides
    ErpDatabase.delete(f"{CUSTOMER}-erp")
    SuiteDatabase.delete(f"{CUSTOMER}-suite")


def shown(key: str) -> tuple[list[dict[str, Any]], str]:
    """The newest artifact of that key: its rows, and what it says of itself."""
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        found = max(client.read_artifacts(artifact_filter=wanted), key=lambda each: each.created)
    return json.loads(found.data), found.description or ""


def ran(subject: str, mode: Any = "incremental") -> str:
    return erp_sync(CUSTOMER, mode=mode, subject=subject, return_state=True).message or ""


def open_orders(both: BothSides, count: int) -> list[str]:
    rows = both.suite_rows("SELECT number FROM production_orders ORDER BY number")
    return [row[0] for row in rows if row[0] not in set(both.mess.closed)][:count]


def test_a_comparison_shows_months_and_keys_and_says_what_it_cuts(both: BothSides) -> None:
    both.in_suite(
        "UPDATE production_orders SET quantity = quantity + 1"
        " WHERE number IN (SELECT number FROM production_orders ORDER BY number LIMIT 25)"
    )
    ran("night", "compare")
    rows, _ = shown(f"erp-compared-{CUSTOMER}")
    told = {row["interface"]: row for row in rows}
    assert set(told) == {"orders", "operations", "materials", "status_out", "hours_out", "materials_out"}
    assert told["orders"]["different"].endswith(", and 5 more")
    assert "ERP" in told["orders"]["months that differ"]
    assert told["hours_out"]["equal"] == "yes"


def test_what_the_erp_overruled_is_shown_with_what_was_lost(both: BothSides) -> None:
    (order,) = open_orders(both, 1)
    both.in_suite(
        "UPDATE production_orders SET description = 'ours', changed_in_suite_at = :at WHERE number = :n",
        at=NOON.isoformat(),
        n=order,
    )
    both.in_erp(
        "UPDATE erp_orders SET description = 'theirs',"
        " row_version = (SELECT max(row_version) + 1 FROM erp_orders) WHERE order_no = :n",
        n=order,
    )
    ran("first")
    (row,), _ = shown(f"erp-overruled-{CUSTOMER}")
    assert (row["interface"], row["key"], row["winner"]) == ("orders", order, "the ERP")
    assert row["lost → won"] == "description: ours → theirs"
    found = overruled.overruled(both.suite.engine(), most=0)
    assert (found.newest, found.count, found.more) == ((), 1, 1)


def test_each_run_has_its_report_also_when_nothing_was_held_back(both: BothSides, records: Records) -> None:
    ran("quiet")
    said = report()
    assert said.startswith("Nothing was held back.")
    assert "- **orders** (contract 1.0.0): no rows came" in said
    both.in_erp(
        "UPDATE erp_orders SET description = 'new',"
        " row_version = (SELECT max(row_version) + 1 FROM erp_orders) WHERE order_no = :n",
        n=open_orders(both, 1)[0],
    )
    ran("one")
    assert "- **orders** (contract 1.0.0): all 1 rows keep its " in report()
    with records.read() as tx:
        assert documents.listed(tx, CUSTOMER) == []
    ran("all", "full")
    pages = report()
    with records.read() as tx:
        stored = {each.name.split("-")[1]: each.id for each in documents.listed(tx, CUSTOMER)}
    assert set(stored) == {"orders", "operations", "materials"}
    assert all(f"document `{each}`" in pages for each in stored.values())


def report() -> str:
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[f"erp-held-back-{CUSTOMER}"]))
        return str(max(client.read_artifacts(artifact_filter=wanted), key=lambda each: each.created).data)


def test_hours_that_the_suite_takes_back_are_shown_as_its_own(both: BothSides) -> None:
    (order,) = open_orders(both, 1)
    both.send("hours_out", order, op_no=10, employee="J. de Boer", worked_on="2026-11-20", minutes=30)
    ran("first")
    rows, said = shown(f"erp-{CUSTOMER}")
    assert rows[-1]["guarantee"] == "exactly once"
    assert said.endswith("Written exactly once.")
    both.in_erp("UPDATE erp_hours_in SET minutes = 29")
    ran("night", "compare")
    (row,), _ = shown(f"erp-overruled-{CUSTOMER}")
    assert (row["winner"], row["lost → won"]) == ("the Suite", "minutes: 29 → 30")


def without_keys(name: str, own: object = None) -> Interface:
    """The contract of an ERP that has no column for our keys: a row is found by what it says."""
    del own
    if name != "hours_out":
        return interface(name)
    text = (FOLDER / "hours_out.yaml").read_text(encoding="utf-8")
    text = text[: text.index("      - name: external_key")]
    place = "      - name: order_no\n        logicalType: string\n        physicalType: text\n"
    keyed = f"{place}        primaryKey: true\n        primaryKeyPosition: 1\n"
    return Interface(parse_contract(text.replace(place, keyed), "hours_out.yaml"))


def test_an_erp_without_keys_is_told_as_at_least_once(
    both: BothSides, monkeypatch: pytest.MonkeyPatch
) -> None:
    (order,) = open_orders(both, 1)
    for table in ("suite_keys", "erp_hours_in"):
        both.in_erp(f"DROP TABLE {table}")
    both.in_erp(
        "CREATE TABLE erp_hours_in"
        " (order_no text, op_no integer, employee text, worked_on date, minutes integer)"
    )
    for module in (write_back, outbox_check):
        monkeypatch.setattr(module, "interface", without_keys)
    both.send("hours_out", order, op_no=10, employee="J. de Boer", worked_on="2026-11-20", minutes=30)
    assert ran("first").endswith("exchanged")
    rows, said = shown(f"erp-{CUSTOMER}")
    assert rows[-1]["guarantee"] == "at least once, with detection (1 rows: the ERP holds no keys of ours)"
    assert said.endswith(f"Written {rows[-1]['guarantee']}.")
