"""Prefect's server, with the queueing database where that is SQLite.

`python -m deployments.embedded.prefect_server` takes the options of `prefect server start`, and is that
command in all else; with PostgreSQL it is nothing but that command.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the server in the foreground until it is told to stop."""
    # Heavy (0.5 s): whoever only wants to know the module's name does not pay for it.
    from prefect.cli import app
    from prefect.server.database.dependencies import set_database_config
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    from deployments.embedded.prefect_database import QueuedSqliteConfiguration

    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if url.startswith("sqlite"):
        set_database_config(QueuedSqliteConfiguration(connection_url=url))
    sys.argv[1:1] = ["server", "start"]
    app()


if __name__ == "__main__":
    main()
