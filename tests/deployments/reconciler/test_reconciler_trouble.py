"""What stands in the way of the reconciler is said once, not at every pass; and once that it is over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.reconciler.loop import start_in_thread
from nakoming.records import schema, wake_ups
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from tests.deployments.reconciler.conftest import House

pytestmark = pytest.mark.usefixtures("prefect_api")


def test_without_an_address_of_prefect_the_loop_says_so_once_and_keeps_our_deadlines(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    case = house.waiting_case()
    with temporary_settings({PREFECT_API_URL: None}):
        end = start_in_thread(house.records, every=0.02)
        try:
            for number in range(3):  # at least so many passes
                with house.records.write() as tx:
                    wake_ups.plan(tx, case.id, kind="instant", name=f"{number}/until", at=tx.now, label="x")
                wait_for(lambda: not _pending(house, case.id))
        finally:
            end()
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in said] == [
        "No Prefect server is named: set PREFECT_API_URL; what waits for it is tried again."
    ]
    assert said[0].exc_info is None


def test_what_nobody_foresaw_is_shown_whole_once_and_its_end_too(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    table = schema.resource_leases.name
    with house.records.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO elsewhere")
    end = start_in_thread(house.records, every=0.02)
    try:
        wait_for(lambda: caplog.records)
        with house.records.engine.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE elsewhere RENAME TO {table}")
        wait_for(lambda: "The reconciler works again." in caplog.text)
    finally:
        end()
    first, *others = [record for record in caplog.records if record.name == "nakoming.reconciler"]
    assert first.exc_info is not None
    assert [each.getMessage() for each in others if each.levelno >= logging.WARNING] == [
        "The reconciler works again."
    ]


def _pending(house: House, case_id: str) -> bool:
    with house.records.read() as tx:
        return bool(wake_ups.pending(tx, case_id))
