"""Plays on the system that runs in this home: `python -m demo.play`."""

from __future__ import annotations

import sys

from rich.console import Console

from demo.play.play import play
from deployments.embedded.system import require_running
from nakoming.errors import NakomingError
from nakoming.settings import Settings


def main() -> int:
    """Play; say one sentence when that cannot be."""
    try:
        return play(require_running(Settings()), wait=False, console=Console())
    except NakomingError as error:
        sys.stderr.write(f"{error.code} {error}\n")
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
