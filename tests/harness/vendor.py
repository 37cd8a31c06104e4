"""The demo vendor for tests: environments that really run, and the blocks that reach them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from blocks.build_command import BuildCommand, TestCommand
from blocks.deploy_script import DeployScript
from demo import environments

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
VARIABLES = {"PYTHONPATH": str(ROOT)}


@contextmanager
def running_environments(root: Path, *customers: str) -> Iterator[Path]:
    """The environments of these customers, on the base revision and without an ERP; stopped at the end."""
    chosen = [customer for customer in environments.CUSTOMERS if customer.key in customers]
    try:
        environments.prepare(root, chosen, with_erp=False)
        yield root
    finally:
        environments.stop_all(root)


FAILING_SCRIPT = """
import runpy, subprocess, sys
ended = subprocess.run([sys.executable, "-m", "demo.deploy", *sys.argv[1:]], check=False)
sys.exit(3 if sys.argv[1] == "install" else ended.returncode)
"""


def break_production(root: Path, customer: str, script: str = FAILING_SCRIPT) -> None:
    """From now on the deploy script of production installs, and then says that it failed.

    It is the same script as before, and runs under another: what fails is production.
    """
    file = root / "failing_deploy.py"
    file.write_text(script, encoding="utf-8")
    block = DeployScript.load(f"{customer}-production")
    command = [sys.executable, str(file), *block.command[3:]]
    changed = DeployScript(**(block.model_dump() | {"command": command}))
    changed.save(f"{customer}-production", overwrite=True)


def save_blocks(root: Path, *customers: str) -> None:
    """The connections that agreements and flows name, as blocks of the Prefect server."""
    python = sys.executable
    build = [python, "-m", "demo.build", "--revision={revision}", "--out={out}"]
    test = [python, "-m", "demo.run_tests", "--artefact={artefact}", "--junit={junit}"]
    common = {"working_folder": ROOT, "environment_variables": VARIABLES}
    BuildCommand(command=build, **common).save("suite", overwrite=True)
    TestCommand(command=test, **common).save("suite", overwrite=True)
    deploy = [
        python,
        "-m",
        "demo.deploy",
        "{action}",
        "--customer={customer}",
        "--environment={environment}",
        f"--root={root}",
        "--artefact={artefact}",
        "--sha256={sha256}",
    ]
    for customer in customers:
        for environment in ("acceptance", "production"):
            # One object a block: an object that was saved once remembers its document, whatever its name.
            script = DeployScript(
                command=deploy, script=ROOT / "demo" / "deploy.py", timeout=timedelta(minutes=2), **common
            )
            script.save(f"{customer}-{environment}", overwrite=True)
