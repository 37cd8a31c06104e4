"""The vendor's test command: `python -m demo.run_tests --artefact FILE --junit OUT.xml`.

The tests that lie in the artefact run against the code that lies in it, from a folder made for this run. Exit
0 when green, 1 when red, 2 when they could not run.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from demo.artefacts import unpack
from demo.errors import TestToolMissingError
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Sequence

PYTEST_RED = 1
UNABLE = 2


def run_suite_tests(artefact: Path, junit: Path) -> int:
    """Run the Suite's tests, write JUnit XML to `junit` and return this command's exit status.

    Raises:
        ArtefactError: The file is no artefact.
        TestToolMissingError: This Python has no pytest.
    """
    if importlib.util.find_spec("pytest") is None:
        raise TestToolMissingError(python=sys.executable)
    with tempfile.TemporaryDirectory(prefix="suite-tests-") as folder:
        unpack(artefact, Path(folder))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junit-xml={junit.resolve()}",
        ]
        # The caller's own test settings must not reach the vendor's tests.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        environment.pop("PYTHONPATH", None)
        status = subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    return status if status in {0, PYTEST_RED} else UNABLE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests of one artefact."""
    parser = argparse.ArgumentParser(prog="demo.run_tests", description=__doc__)
    parser.add_argument("--artefact", type=Path, required=True)
    parser.add_argument("--junit", type=Path, required=True, help="file the JUnit XML is written to")
    chosen = parser.parse_args(arguments)
    try:
        return run_suite_tests(chosen.artefact, chosen.junit)
    except NakomingError as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return UNABLE


if __name__ == "__main__":
    sys.exit(main())
