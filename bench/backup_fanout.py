"""What does a night cost per customer, data aside, and does it grow in a straight line?

10, 100 and 1,000 customers with a SQLite database of about 100 KB each, from their files to two folders,
through the flow of the night. CPU is that of the night's process and of all its children; nothing is
subtracted for the data, of which there is next to none.
"""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from bench import backup_rig
from bench.figures import Figure, machine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ROWS = 1000
_MILLISECONDS = 150
_RATIO = 1.3
_AT_ONCE = 8
_FILL = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT);
INSERT INTO orders WITH RECURSIVE r(g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM r LIMIT {rows})
    SELECT g, 'order ' || g || ' ' || lower(hex(randomblob(35))) FROM r;
"""


def run(count: int = 1000, *, peers: bool = True) -> list[Figure]:
    """A night of `count` customers, of a tenth and of a hundredth of them, each in an empty installation."""
    del peers  # there are none
    at_start = machine()
    customers = [f"customer-{number:04}" for number in range(count)]
    sizes = sorted({max(1, count // 100), max(1, count // 10), count})
    with backup_rig.vault() as made:
        _save(made, customers)
        nights = {size: _night(made, customers[:size]) for size in sizes}
    each = {size: 1000 * night.cpu / size for size, night in nights.items()}
    figures = [
        Figure(
            name=f"backup-fanout/CPU per customer of {size:,}",
            value=value,
            unit="ms",
            limit=_MILLISECONDS if size >= sizes[-1] // 10 else None,
            machine=at_start,
        )
        for size, value in each.items()
    ]
    largest, tenth = sizes[-1], sizes[max(0, len(sizes) - 2)]
    straight = Figure(
        name=f"backup-fanout/CPU per customer, {largest:,} beside {tenth:,}",
        value=each[largest],
        unit="ms",
        peer=f"{tenth:,} customers",
        peer_value=each[tenth],
        limit=_RATIO,
        judged="ratio",
        machine=at_start,
    )
    whole = Figure(
        name=f"backup-fanout/night of {largest:,}",
        value=nights[largest].seconds,
        unit="s",
        machine=at_start,
    )
    return [*figures, straight, whole]


def _save(made: backup_rig.Vault, customers: Sequence[str]) -> None:
    """Every customer's file and block, and the two sites."""
    from blocks.backup.source_sqlite import SqliteSource

    for site in ("near", "far"):
        backup_rig.save_folder_site(made, site)
    pattern = made.folder / "pattern.sqlite"
    with closing(sqlite3.connect(pattern)) as connection:
        connection.executescript(_FILL.format(rows=_ROWS))

    def save(customer: str) -> None:
        with made.server.settings():
            SqliteSource(path=_file(made, customer)).save(f"{customer}-data", overwrite=True)

    (made.folder / "data").mkdir()
    for customer in customers:
        shutil.copyfile(pattern, _file(made, customer))
    save(customers[0])  # the kind of block is registered once
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(save, customers))


def _file(made: backup_rig.Vault, customer: str) -> Path:
    return made.folder / "data" / f"{customer}.sqlite"


def _night(made: backup_rig.Vault, customers: Sequence[str]) -> backup_rig.Night:
    backup_rig.renew(made)
    backup_rig.agree(backup_rig.records_of(made), customers, "far")
    return backup_rig.night_apart(made, "all")
