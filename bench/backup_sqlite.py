"""How fast is a SQLite database backed up, on two sites and read back from both?

Ours is a customer's whole night: dump, pack, seal, digest, keep in a folder and at OpenSSH's server on
loopback, read back, manifest, ledger. Peer: `VACUUM INTO` and `sha256sum`: one plain copy on one disk.
"""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

from bench import backup_rig
from bench.figures import Figure, machine, median

if TYPE_CHECKING:
    from pathlib import Path

_TIMES = 3
_RATIO = 1.5
_TABLES = 4
_FILL = """
INSERT INTO orders_{table} WITH RECURSIVE r(g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM r LIMIT {count})
    SELECT g, printf('ORD-%010d', g), 'Klant ' || g % 1000 || ' B.V.', 'ART-' || g % 5000,
    'Onderdeel ' || g % 40 || ' voor order ' || g || ', te leveren op de afgesproken plaats en datum',
    g % 977, g % 100000 * 1.37, lower(hex(randomblob(32))) FROM r
"""


def run(count: int = 4_200_000, *, peers: bool = True) -> list[Figure]:
    """Back up a database of `count` rows of about 240 bytes three times, and the peer in turn."""
    del peers  # quick
    at_start = machine()
    with backup_rig.vault() as made, backup_rig.off_site(made):
        file = made.folder / "acme.sqlite"
        _fill(file, count)
        _save(made, file)
        ours, theirs = [], []
        for _ in range(_TIMES):
            theirs.append(backup_rig.timed(lambda: _copied(file)))
            ours.append(backup_rig.night_of_one(made, "off-site"))
    shared: dict[str, Any] = {"machine": at_start}
    return [
        Figure(
            name="backup-sqlite/time",
            value=median([each.seconds for each in ours]),
            unit="s",
            peer="VACUUM INTO + sha256sum",
            peer_value=median(theirs),
            limit=_RATIO,
            judged="ratio",
            **shared,
        ),
        Figure(
            name="backup-sqlite/memory",
            value=max(each.mebibytes for each in ours),
            unit="MiB",
            limit=backup_rig.MEBIBYTES,
            **shared,
        ),
    ]


def _fill(file: Path, count: int) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        for table in range(_TABLES):
            connection.execute(
                f"CREATE TABLE orders_{table} (id INTEGER PRIMARY KEY, order_no, customer, article, "
                "description, quantity, price, seal)"
            )
            connection.execute(_FILL.format(table=table, count=max(1, count // _TABLES)))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _save(made: backup_rig.Vault, file: Path) -> None:
    from blocks.backup.source_sqlite import SqliteSource

    backup_rig.save_folder_site(made, "near")
    SqliteSource(path=file).save(f"{backup_rig.CUSTOMER}-data", overwrite=True)


def _copied(file: Path) -> None:
    copy = file.with_suffix(".copy")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    subprocess.run(["/usr/bin/sha256sum", copy], check=True, stdout=subprocess.DEVNULL)
    copy.unlink()
