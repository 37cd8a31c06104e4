"""How fast is a large table read over ODBC?

PostgreSQL's driver through unixODBC, columns of mixed kinds; rows as tuples, and Arrow record batches as a
bulk load wants them. Peer: pyodbc alone, with the driver's own cursors, reading with `fetchmany`.
"""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING

from bench.figures import Figure, machine, median

if TYPE_CHECKING:
    from collections.abc import Callable

    from blocks.erp.odbc import ErpOdbc
    from tests.harness.postgres import PostgresServer

_TIMES = 3
_CHUNK = 10_000
_MEMORY_MIB = 300.0
_TABLE = """
CREATE TABLE orders AS SELECT g::bigint AS id, 'ORD-' || g AS number,
    ('Klant é 漢字 ' || g % 1000)::varchar(60) AS name, (g % 977)::int AS quantity,
    (g * 1.37)::numeric(14, 3) AS price, timestamp '2026-01-01' + g * interval '1.000001 s' AS changed_at,
    date '2020-01-01' + (g % 3000)::int AS due_on, g % 3 = 0 AS done,
    CASE WHEN g % 7 > 0 THEN 'x' || g END AS note, (g * 0.1)::float8 AS weight,
    g * 9007199254 AS large, (g % 100)::numeric(12, 2) AS vat
FROM generate_series(1, {count}) AS g
"""


def run(count: int = 1_000_000, *, peers: bool = True) -> list[Figure]:
    """Read `count` rows of 12 columns three times each way, in turn; the middle one counts."""
    from blocks.erp.odbc import ErpOdbc
    from tests.harness.postgres import postgres

    at_start = machine()
    with postgres() as server:
        _fill(server, count)
        words = {"Server": server.host, "Port": str(server.port), "Database": "postgres"}
        block = ErpOdbc(
            driver="PostgreSQL Unicode",
            settings=words,
            username="postgres",
            dialect="postgresql",
            chunk_rows=_CHUNK,
        )
        ways: dict[str, Callable[[], int]] = {
            "rows": lambda: _rows(block),
            "batches": lambda: _batches(block),
        }
        rates: dict[str, list[float]] = {name: [_rate(way, count)] for name, way in ways.items()}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if peers:
            ways["peer"] = lambda: _pyodbc(words)
            rates["peer"] = [_rate(ways["peer"], count)]
        for _ in range(_TIMES - 1):
            for name, way in ways.items():
                rates[name].append(_rate(way, count))
    memory = Figure(name="odbc-read/peak", value=peak, unit="MiB", limit=_MEMORY_MIB, machine=at_start)
    return [*_figures({name: median(each) for name, each in rates.items()}, at_start), memory]


def _figures(rates: dict[str, float], at_start: dict[str, object]) -> list[Figure]:
    peer = rates.pop("peer", None)
    return [
        Figure(
            name=f"odbc-read/{name}",
            value=rate,
            unit="rows/s",
            peer="pyodbc fetchmany",
            peer_value=peer,
            limit=1.0,
            judged="ratio",
            machine=at_start,
        )
        for name, rate in rates.items()
    ]


def _fill(server: PostgresServer, count: int) -> None:
    import psycopg

    with psycopg.connect(server.url(driver="postgresql")) as connection:
        connection.execute(_TABLE.format(count=count).encode())


def _rate(way: Callable[[], int], count: int) -> float:
    begun = time.monotonic()
    found = way()
    seconds = time.monotonic() - begun
    assert found == count, f"{found} rows of {count}"
    return count / seconds


def _columns(block: ErpOdbc) -> list[str]:
    with block.connect() as session:
        return [each.name for each in session.columns("orders")]


def _rows(block: ErpOdbc) -> int:
    columns = _columns(block)
    with block.connect() as session:
        return sum(len(chunk.rows()) for chunk in session.read("orders", columns))


def _batches(block: ErpOdbc) -> int:
    columns = _columns(block)
    with block.connect() as session:
        batches = [(each.batch is not None, each.count) for each in session.batches("orders", columns)]
    assert all(is_batch for is_batch, _ in batches)
    return sum(count for _, count in batches)


def _pyodbc(words: dict[str, str]) -> int:
    import pyodbc

    given = "".join(f"{name}={value};" for name, value in words.items())
    text = f"Driver=PostgreSQL Unicode;{given}UID=postgres;UseDeclareFetch=1;Fetch={_CHUNK};BoolsAsChar=0;"
    connection = pyodbc.connect(text, autocommit=False)
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM orders")
    found = 0
    while rows := cursor.fetchmany(_CHUNK):
        found += len(rows)
    connection.close()
    return found
