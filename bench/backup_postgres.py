"""How fast, and in how much memory, is a PostgreSQL database backed up, on two sites and read back from both?

Ours is a customer's whole night: dump and count in one snapshot, pack, seal, digest, keep in a folder and at
OpenSSH's server on loopback, read back, manifest, ledger. Peers: `pg_dump -Fc`, which packs with one core,
and `pg_dump -Fc -Z0 | zstd -3 -T2`. Both leave one plain copy on one disk, uncounted and unread.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bench import backup_rig
from bench.erp_rig import run_sql
from bench.figures import Figure, machine, median

if TYPE_CHECKING:
    from tests.harness.postgres import PostgresServer

_TIMES = 2
_DUMP_RATIO = 0.5
_PIPE_RATIO = 1.6
_TABLES = 2
_TABLE = """
CREATE TABLE orders_{table} (id bigint, order_no text, customer text, article text, description text,
    status text, quantity int, price numeric(12, 2), changed_at timestamp, seal text)
"""
_FILL = """
INSERT INTO orders_{table} SELECT g, 'ORD-' || lpad(g::text, 10, '0'), 'Klant ' || g % 1000 || ' B.V.',
    'ART-' || g % 5000,
    'Onderdeel ' || g % 40 || ' voor order ' || g || ', te leveren op de afgesproken plaats en datum',
    (ARRAY['planned', 'released', 'started', 'finished'])[g % 4 + 1], g % 977,
    (g % 100000 * 1.37)::numeric(12, 2), timestamp '2026-01-01' + g * interval '1 s',
    md5(g::text) || md5((-g)::text)
FROM generate_series({first}::bigint, {last}::bigint) g
"""


def run(count: int = 8_600_000, *, peers: bool = True) -> list[Figure]:
    """Back up `count` rows of about 235 bytes, ours and the pipe in turn, `pg_dump -Fc` once."""
    from tests.harness.postgres import postgres

    at_start = machine()
    with (
        postgres() as server,
        server.database() as database,
        backup_rig.vault() as made,
        backup_rig.off_site(made),
    ):
        _fill(server, database, count)
        _save(made, server, database)
        dump = f"{server.bin}/pg_dump -Fc {server.url(database, driver='postgresql')}"
        ours, piped = [], []
        for _ in range(_TIMES):
            piped.append(_written(made, f"{dump} -Z0 | zstd -3 -T2 -q -c"))
            ours.append(backup_rig.night_of_one(made, "off-site"))
        plain = _written(made, dump) if peers else None
    seconds = median([each.seconds for each in ours])
    shared: dict[str, Any] = {"machine": at_start}
    time = shared | {"value": seconds, "unit": "s", "judged": "ratio"}
    figures = [
        Figure(
            name="backup-postgres/time",
            peer="pg_dump -Fc -Z0 | zstd -3 -T2",
            peer_value=median(piped),
            limit=_PIPE_RATIO,
            **time,
        ),
        Figure(
            name="backup-postgres/memory",
            value=max(each.mebibytes for each in ours),
            unit="MiB",
            limit=backup_rig.MEBIBYTES,
            **shared,
        ),
    ]
    if plain is not None:
        name = "backup-postgres/time-beside-pg_dump"
        figures.append(Figure(name=name, peer="pg_dump -Fc", peer_value=plain, limit=_DUMP_RATIO, **time))
    return figures


def _fill(server: PostgresServer, database: str, count: int) -> None:
    url, each = server.url(database, driver="postgresql"), max(1, count // _TABLES)

    def fill(table: int) -> None:
        given = {"table": table, "first": table * each + 1, "last": (table + 1) * each}
        run_sql(url, _TABLE.format(**given), _FILL.format(**given), f"VACUUM ANALYZE orders_{table}")

    with ThreadPoolExecutor(_TABLES) as pool:
        list(pool.map(fill, range(_TABLES)))
    run_sql(url, "CHECKPOINT")


def _save(made: backup_rig.Vault, server: PostgresServer, database: str) -> None:
    from blocks.backup.source_postgresql import PostgresqlSource

    backup_rig.save_folder_site(made, "near")
    source = PostgresqlSource(
        host=server.host, port=server.port, username="postgres", database=database, tools_folder=server.bin
    )
    source.save(f"{backup_rig.CUSTOMER}-data", overwrite=True)


def _written(made: backup_rig.Vault, command: str) -> float:
    file = made.folder / "theirs"
    shell = ["bash", "-o", "pipefail", "-c", f"{command} > {file}"]
    seconds = backup_rig.timed(lambda: subprocess.run(shell, check=True))
    file.unlink()
    return seconds
