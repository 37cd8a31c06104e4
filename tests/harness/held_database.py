"""A records database that another process keeps to itself, as a stuck program or a careless operator does."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from nakoming.records import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_SECONDS = 0.2  # as long as our own side waits for a lock in these tests
_SQLITE = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""
_POSTGRESQL = """
import sys
import psycopg
with psycopg.connect(sys.argv[1]) as held:
    held.execute(sys.argv[2])
    print("held", flush=True)
    sys.stdin.read()
"""


def impatient(url: str) -> str:
    """The address of the same database, with a short wait for locks."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        wait = {"timeout": str(WAIT_SECONDS)}
    else:
        wait = {"options": f"-clock_timeout={int(WAIT_SECONDS * 1000)}ms"}
    return address.update_query_dict(wait).render_as_string(hide_password=False)


def _holder(url: str) -> list[str]:
    address = make_url(url).difference_update_query(["timeout", "options"])
    if address.get_backend_name() == "sqlite":
        return [_SQLITE, str(Path(str(address.database)).resolve())]
    tables = ", ".join(sorted(schema.metadata.tables))
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    return [_POSTGRESQL, plain, f"LOCK TABLE {tables} IN EXCLUSIVE MODE"]


@contextmanager
def held(url: str) -> Iterator[None]:
    """Another process holds the database as long as the block lasts; others may read."""
    command = [sys.executable, "-c", *_holder(url)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        yield
    finally:
        holder.communicate("")
        assert holder.returncode == 0
