"""The ERP of the demo's customer: made once, whole, whatever killed its making."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from demo import exchange_ends
from demo.environment_folder import EnvironmentFolder
from demo.erp import play
from demo.erp.making import sown
from demo.errors import ErpUnusable

if TYPE_CHECKING:
    from pathlib import Path


def test_an_erp_whose_making_was_killed_is_made_anew_and_then_stays(tmp_path: Path) -> None:
    file = exchange_ends.erp_file(tmp_path)
    file.parent.mkdir()
    making = [sys.executable, "-m", "demo.erp", "--url", exchange_ends.erp_address(tmp_path)]
    process = subprocess.Popen(making, stdout=subprocess.DEVNULL)
    log = file.with_name(f"{file.name}-wal")
    give_up = time.monotonic() + 30
    while not (log.exists() and log.stat().st_size > 0):
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.001)  # until something is written
    process.kill()
    process.wait()

    exchange_ends.prepare_erp(tmp_path)
    address = exchange_ends.erp_address(tmp_path)
    counts = play.counts(address)
    mess = sown()
    assert counts["erp_orders"] == mess.order_rows
    assert counts["erp_operations"] == mess.operation_rows
    assert counts["erp_materials"] == mess.material_rows

    (removed,) = play.drawn(address, 1, seed=1)
    play.remove(address, removed)
    after = play.counts(address)
    exchange_ends.prepare_erp(tmp_path)
    assert play.counts(address) == after != counts


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = exchange_ends.erp_file(tmp_path)
    file.parent.mkdir()
    file.write_text("no database, but long enough to be looked into " * 100)
    with pytest.raises(ErpUnusable, match=r"brouwer\.db cannot be used: "):
        exchange_ends.prepare_erp(tmp_path)


def test_the_suites_database_is_that_of_production_unless_somebody_chose_another(tmp_path: Path) -> None:
    production = EnvironmentFolder(tmp_path, exchange_ends.CUSTOMER, "production")
    assert exchange_ends.suite_file(tmp_path) == production.folder / "database" / "suite.db"
    production.write_json("settings.json", {"database_url": "postgresql://suite@db.example/suite"})
    assert exchange_ends.suite_file(tmp_path) is None
