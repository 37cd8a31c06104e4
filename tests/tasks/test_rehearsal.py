from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, os, threading
from tasks import installation, rehearsal
before = sorted(os.listdir("/proc/self/fd"))
rehearsal.rehearse()
kept = installation._kept[0].records
said = {
    "descriptors": sorted(os.listdir("/proc/self/fd")) == before,
    "threads": threading.active_count(),
    "connections": kept.engine.pool.checkedin() + kept.engine.pool.checkedout(),
    "compiled": len(kept.engine._compiled_cache) > 20,
    "same": installation.settings() is installation._kept[0].settings,
}
os.environ["NAKOMING_HOME"] = "/elsewhere"
installation.settings.cache_clear()
said["other"] = str(installation.settings().home)
print(json.dumps(said))
"""


def test_a_rehearsal_leaves_nothing_open_and_touches_nothing_of_the_installation(tmp_path: Path) -> None:
    home = tmp_path / "home"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NAKOMING_")}
    environment = kept | {"NAKOMING_HOME": str(home), "NAKOMING_AGREEMENTS": str(ROOT / "agreements")}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said == {
        "descriptors": True,
        "threads": 1,
        "connections": 0,
        "compiled": True,
        "same": True,
        "other": "/elsewhere",
    }
    assert not home.exists()


def test_records_of_the_installation_are_opened_after_a_rehearsal(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "from nakoming.records import migrate\n"
        "from nakoming.records.store import Records\n"
        "from nakoming.settings import Settings\n"
        "from tasks import installation, rehearsal\n"
        "migrate.upgrade(Records.from_settings(Settings()))\n"
        "rehearsal.rehearse()\n"
        "with installation.records().read() as tx:\n"
        "    print(tx.connection.exec_driver_sql('select count(*) from cases').scalar_one())\n"
        "    print(tx.connection.exec_driver_sql('pragma database_list').one()[2])\n"
    )
    environment = os.environ | {
        "NAKOMING_HOME": str(tmp_path),
        "NAKOMING_AGREEMENTS": str(ROOT / "agreements"),
    }
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.split() == ["0", str(tmp_path / "records.sqlite")], ran.stderr
