"""How long does `make demo WAIT=0` take, once the environment is there?"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure, machine

HOUSE = Path(__file__).parents[1]
LIMIT_SECONDS = 180.0
_PATIENCE_SECONDS = 900.0
_FOREIGN = ("PREFECT_", "NAKOMING_")
_PORTS = ("PORTAL", "PREFECT", "MAILBOX", "SMTP")


def run(count: int = 1, *, peers: bool = True) -> list[Figure]:
    """Play the demo once, in a folder of its own; `count` changes nothing."""
    del count, peers
    from tests.harness.processes import free_port

    at_start = machine()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    ports = {f"NAKOMING_{name}_PORT": str(free_port()) for name in _PORTS}
    with TemporaryDirectory(prefix="bench-") as home:
        begun = time.monotonic()
        done = subprocess.run(
            ["make", "demo", "WAIT=0"],  # noqa: S607 - make is found where the person's own is
            cwd=HOUSE,
            env=inherited | ports | {"NAKOMING_HOME": home},
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
        )
        seconds = time.monotonic() - begun
    assert done.returncode == 0, f"the demo failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return [Figure(name="demo", value=seconds, unit="s", limit=LIMIT_SECONDS, machine=at_start)]
