"""What the benchmarks of the exchange share: two databases, a table of twelve columns, and loads of it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.erp.interfaces import Interface
    from tasks.erp.loaded import Loaded
    from tests.harness.postgres import PostgresServer

BAD_EVERY = 1000
"""One row of so many is bad, and goes to quarantine."""
CONTRACT = Path(__file__).with_name("erp_orders.yaml")
"""The contract of that table."""
_COLUMNS = """
    order_no text {key}, customer text, article text, description text, quantity integer,
    price numeric(12, 2), weight numeric(12, 3), due_on date, status text, is_rush boolean,
    changed_at timestamp, row_version bigint
"""
_FILL = """
INSERT INTO bench_source SELECT 'ORD-' || lpad(g::text, 8, '0'), 'Klant ' || g % 1000 || ' B.V.',
    'ART-' || g % 5000, CASE WHEN g % 7 > 0 THEN 'Onderdeel ø' || g % 40 || ' voor order ' || g END,
    CASE WHEN g % {bad} = 0 THEN -1 ELSE g % 977 + 1 END, (g % 100000 * 1.37)::numeric(12, 2),
    CASE WHEN g % 5 > 0 THEN (g % 9999 * 0.125)::numeric(12, 3) END, date '2026-01-01' + (g % 900)::int,
    (ARRAY['planned', 'released', 'started', 'finished'])[g % 4 + 1], g % 3 = 0,
    timestamp '2026-01-01' + g * interval '1.000001 s', g
FROM generate_series(1, {count}) AS g
"""
_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


class Measured(NamedTuple):
    """One load in a process of its own."""

    seconds: float
    mebibytes: float


class Ends(NamedTuple):
    """Two databases of one server: the ERP's and the Suite's, by name."""

    server: PostgresServer
    erp: str
    suite: str

    def url(self, name: str) -> str:
        """In libpq's form."""
        return self.server.url(name, driver="postgresql")


@contextmanager
def durable_postgres() -> Iterator[PostgresServer]:
    """The tests' server, made to wait for its disk as a customer's does."""
    import psycopg

    from tests.harness.postgres import postgres

    with postgres() as server:
        with psycopg.connect(server.url(driver="postgresql"), autocommit=True) as connection:
            for setting in _DURABLE:
                connection.execute(f"ALTER SYSTEM SET {setting} = on".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield server


@contextmanager
def ends(server: PostgresServer, count: int) -> Iterator[Ends]:
    """An ERP with `count` rows, and an empty Suite."""
    with server.database() as erp, server.database() as suite:
        found = Ends(server, erp, suite)
        run_sql(
            found.url(erp),
            f"CREATE TABLE bench_source ({_COLUMNS.format(key='')})",
            _FILL.format(count=count, bad=BAD_EVERY),
            "CREATE INDEX ON bench_source (row_version)",
        )
        vacuum(found.url(erp), "bench_source")
        empty(found)
        yield found


def empty(both: Ends) -> None:
    """Forget what was loaded."""
    run_sql(
        both.url(both.suite),
        "DROP TABLE IF EXISTS bench_target, erp_sync_marks, erp_sync_batches, erp_sync_transactions, "
        "erp_sync_quarantine, erp_sync_outgoing, erp_sync_overrulings, erp_sync_settlings, "
        "erp_sync_files, erp_sync_file_versions, erp_sync_outdated CASCADE",
        f"CREATE TABLE bench_target ({_COLUMNS.format(key='PRIMARY KEY')})",
        "CHECKPOINT",
    )


def run_sql(url: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def vacuum(url: str, table: str) -> None:
    """Let the first reader not pay for what the writer left to do."""
    run_sql(url, f"VACUUM ANALYZE {table}", "CHECKPOINT")


def counted(url: str, table: str) -> int:
    """How many rows a table has."""
    import psycopg

    with psycopg.connect(url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()  # noqa: S608 - our own
    assert row is not None
    return int(row[0])


def newest_change(url: str) -> int:
    """How many rows the newest batch of orders made or changed."""
    import psycopg

    query = (
        "SELECT created + changed FROM erp_sync_batches WHERE interface = 'orders' ORDER BY id DESC LIMIT 1"
    )
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def raw_copy(both: Ends) -> float:
    """Seconds that `psql` takes to copy the rows across, into a table with the same key, unchecked."""
    psql = str(both.server.bin / "psql")
    out = [psql, both.url(both.erp), "-qc", "COPY bench_source TO STDOUT (FORMAT binary)"]
    into = [psql, both.url(both.suite), "-qc", "COPY bench_target FROM STDIN (FORMAT binary)"]
    begun = time.monotonic()
    reader = subprocess.Popen(out, stdout=subprocess.PIPE)
    subprocess.run(into, stdin=reader.stdout, check=True)
    assert reader.wait() == 0
    return time.monotonic() - begun


def apart(module: str, who: str, both: Ends) -> dict[str, Any]:
    """What a fresh process of a module found, who is told both addresses."""
    command = [sys.executable, "-m", module, who, both.url(both.erp), both.url(both.suite)]
    with TemporaryDirectory(prefix="bench-") as folder:
        ran = subprocess.run([*command, folder], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def bench_interface() -> Interface:
    """The interface of the benchmarks' own contract, and all that a warm process has imported."""
    from data_contracts.loading import load_contract
    from tasks.erp.interfaces import Interface

    for each in ("psycopg", "blocks.suite_database", "data_contracts.drift", "tasks.erp.fetching"):
        importlib.import_module(each)
    return Interface(load_contract(CONTRACT))


def fetched(erp: str, suite: str, interface: Interface) -> Loaded:
    """Bring the Suite up to date, through the engine."""
    import sqlalchemy as sa

    from blocks.erp.database import ErpDatabase
    from blocks.suite_database import SuiteDatabase
    from tasks.erp.fetching import Asked, fetch

    parts = [sa.make_url(each) for each in (erp, suite)]
    given = [{"host": p.host, "port": p.port, "database": p.database, "username": p.username} for p in parts]
    engine = SuiteDatabase(dialect="postgresql", **given[1]).engine()
    at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    with ErpDatabase(dialect="postgresql", **given[0]).connect() as session:
        return fetch(session, engine, interface, Asked(customer="brouwer", run="bench"), lambda: at)


def dlt_load(erp: str, suite: str, folder: str) -> Any:
    """A function that brings the peer's table up to date: pyarrow, CSV into PostgreSQL, upsert by key."""
    import os

    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DLT_DATA_DIR": folder,
    }
    import dlt
    from dlt.sources.sql_database import sql_table

    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(
            suite.replace("postgres@", "postgres:none@")
        ),  # it wants a password
        dataset_name="peer",
    )

    def load() -> None:
        table = sql_table(
            erp.replace("postgresql://", "postgresql+psycopg://"),
            table="bench_source",
            backend="pyarrow",
            chunk_size=50_000,
            incremental=dlt.sources.incremental("row_version"),
            primary_key="order_no",
        )
        table.apply_hints(write_disposition={"disposition": "merge", "strategy": "upsert"})
        pipeline.run(table, loader_file_format="csv").raise_on_failed_jobs()

    return load


def peak() -> float:
    """Peak memory in MiB since the program began; `ru_maxrss` counts what its starter had too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
