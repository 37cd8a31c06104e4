"""A PostgreSQL cluster of the tests' own: made in a temporary folder, on loopback, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from scripts.install_test_packages import locate
from tests.harness.processes import free_port, running, setpriv

if TYPE_CHECKING:
    from collections.abc import Iterator

# Nothing here outlives the tests, so nothing waits for the disk; locks and isolation are as ever.
_INITDB = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running cluster: superuser `postgres`, no password, reachable from this machine only."""

    host: str
    port: int
    bin: Path
    """The folder of `pg_dump`, `psql` and their kin, of the server's own version."""

    def url(self, name: str = "postgres", driver: str = "postgresql+psycopg") -> str:
        """Return the address of a database, for SQLAlchemy; `driver="postgresql"` gives libpq's form."""
        return f"{driver}://postgres@{self.host}:{self.port}/{name}"

    @contextlib.contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Make a database from a template, yield its name, and drop it with whoever is still connected."""
        name = f"nakoming_{uuid.uuid4().hex[:12]}"
        self._command(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        try:
            yield name
        finally:
            self._command(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _command(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(driver="postgresql"), autocommit=True) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def postgres() -> Iterator[PostgresServer]:
    """Run a cluster while the block lasts (about 1.5 s to make and start).

    Raises:
        FileNotFoundError: PostgreSQL is not installed; the message is the command that installs it.
    """
    binaries = Path(locate("postgresql")).parent
    # Not pytest's folder: the server runs as another user when we are root, who may not enter it.
    with tempfile.TemporaryDirectory(prefix="nakoming-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        user = _other_user(folder)
        data = folder / "data"
        initdb = [str(binaries / "initdb"), "--pgdata", str(data), "--username=postgres", *_INITDB]
        subprocess.run([*setpriv(user=user), *initdb], check=True, stdout=subprocess.DEVNULL, cwd="/")
        server = PostgresServer("127.0.0.1", free_port(), binaries)
        options = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
        places = ["-D", str(data), "-k", str(folder), "-h", server.host, "-p", str(server.port)]
        with running(
            [str(binaries / "postgres"), *places, *options],
            log=folder / "log",
            answers=lambda: _answers(server),
            env=os.environ,
            user=user,
            stop=signal.SIGINT,
        ):
            yield server


def _other_user(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root; Debian's package brings a user for it."""
    if os.geteuid() != 0:
        return None
    shutil.chown(folder, "postgres", "postgres")
    return "postgres"


def _answers(server: PostgresServer) -> bool:
    try:
        with psycopg.connect(server.url(driver="postgresql"), connect_timeout=1) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False
