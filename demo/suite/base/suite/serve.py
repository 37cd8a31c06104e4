"""`python -m suite.serve --socket N`: serve on a listening socket the starter opened.

The starter opens it, so no other program can take the port in between and requests wait while the Suite
starts.
"""

from __future__ import annotations

import argparse
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from suite.app import create_app
from suite.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="suite.serve", description=__doc__)
    parser.add_argument("--socket", type=int, required=True, help="number of the inherited descriptor")
    parser.add_argument(
        "--environment", required=True, help="the environment's folder, seen in the process list"
    )
    chosen = parser.parse_args(arguments)
    listening = socket.socket(fileno=chosen.socket)
    config = uvicorn.Config(
        create_app(Settings.from_process()),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main())
