"""The flow itself, in a process that is warm: from its first line until the case is closed, evidence and all.

A Prefect server and records of their own, on SQLite; the customer's contract of orders is the benchmarks'.
Every part of an exchange is there: lease, left alone or not, three interfaces, the outbox, evidence, report.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import erp_rig
from bench.warm_worker import prefect_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CUSTOMER = "brouwer"
_EMPTY = ("operations", "materials")
"""Interfaces of which nothing changed, as most of the time."""


@contextmanager
def warm(erp: str, suite: str, folder: str) -> Iterator[Callable[[str], float]]:
    """A function that runs the flow once, in a mode, and returns the seconds it took.

    Args:
        erp: the ERP's database, in libpq's form, with the table of the benchmarks.
        suite: the Suite's.
        folder: for the records and Prefect's own database.
    """
    home = Path(folder) / "flow"
    home.mkdir(exist_ok=True)
    os.environ["NAKOMING_HOME"] = str(home)
    os.environ.pop("NAKOMING_RECORDS_URL", None)
    with prefect_server(home):
        _install(erp, suite)
        yield _runner()


def _install(erp: str, suite: str) -> None:
    import sqlalchemy as sa

    from blocks.erp.database import ErpDatabase
    from blocks.suite_database import SuiteDatabase
    from demo.suite.base.suite.migrations import m0001_production_orders as suite_schema
    from nakoming.agreement.loading import agreement_sha256
    from nakoming.records import agreements, migrate
    from nakoming.records.store import Records
    from tasks.installation import records, settings
    from tests.harness.erp_pair import AGREEMENTS, agreement_text

    for kind, url, name in ((ErpDatabase, erp, "erp"), (SuiteDatabase, suite, "suite")):
        at = sa.make_url(url)
        given = {"host": at.host, "port": at.port, "database": at.database, "username": at.username}
        kind(dialect="postgresql", **given).save(f"{_CUSTOMER}-{name}", overwrite=True)
    suite_schema.metadata.create_all(
        sa.create_engine(suite.replace("postgresql://", "postgresql+psycopg://"))
    )
    _make_empty(erp)
    migrate.upgrade(Records.from_settings(settings()))
    texts = {"vendor": (AGREEMENTS / "vendor.yaml").read_text("utf-8"), _CUSTOMER: agreement_text(_CUSTOMER)}
    own = {"orders": erp_rig.CONTRACT.read_text("utf-8")}
    with records().write() as tx:
        for name, text in texts.items():
            contracts = own if name == _CUSTOMER else {}
            agreements.store(tx, name, text, agreement_sha256(text), contracts)


def _make_empty(erp: str) -> None:
    """The ERP's other tables, as the product's contracts have them."""
    from data_contracts.loading import contract_for

    for name in _EMPTY:
        table = contract_for(name).table
        columns = ", ".join(f"{each.name} {each.physical_type}" for each in table.columns)
        erp_rig.run_sql(erp, f"CREATE TABLE IF NOT EXISTS {table.source_name} ({columns})")


def _runner() -> Callable[[str], float]:
    from flows import erp_sync as flow_module
    from tasks.case_run import CaseRun

    marks: dict[str, float] = {}
    begins, closed = flow_module.occasion.of_run, CaseRun.catch_up

    def begun(*given: Any) -> Any:
        marks["begun"] = time.monotonic()
        return begins(*given)

    def done(run: CaseRun) -> Any:
        marks["closed"] = time.monotonic()  # the case is closed and committed; what follows is its display
        return closed(run)

    flow_module.occasion.of_run = begun  # type: ignore[assignment]
    CaseRun.catch_up = done  # type: ignore[method-assign]

    def run(mode: str) -> float:
        marks.clear()
        flow_module.erp_sync(customer=_CUSTOMER, mode=mode, return_state=True).result(raise_on_failure=True)
        return marks["closed"] - marks["begun"]

    return run
