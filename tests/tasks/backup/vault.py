"""Customers' databases, the two folders that keep their backups, and nights walked on moved time."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from nakoming.agreement.nights import night_of
from nakoming.records import cases, clock, outbox
from tasks.backup import night
from tests.harness.installation import Walker

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.records.store import Records

START = datetime(2026, 11, 24, 1, 10, tzinfo=UTC)  # Tuesday, 02:10 in Amsterdam
DAY = timedelta(days=1)


@dataclass
class Vault:
    """Three customers' databases, and the two folders that keep their backups."""

    records: Records
    folder: Path

    def database(self, customer: str) -> Path:
        return self.folder / f"{customer}.sqlite"

    def fill(self, customer: str, rows: int) -> None:
        with sqlite3.connect(self.database(customer)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, note TEXT)")
            connection.execute("DELETE FROM orders")
            many = [(number, f"order {number} of {customer}") for number in range(rows)]
            connection.executemany("INSERT INTO orders VALUES (?, ?)", many)
        connection.close()

    def set_to(self, at: datetime) -> None:
        with self.records.write() as tx:
            clock.set_to(tx.connection, at)

    def night(self, at: datetime) -> Walker:
        self.set_to(at)
        on = str(night_of(at).on)
        return Walker(self.records, night.PROCESS, "vendor", on, {"night": on})

    def errors(self) -> list[str]:
        """Why backups failed."""
        with self.records.read() as tx:
            return [case.last_error for case in cases.listed(tx) if case.last_error]

    def kept(self, site: str, customer: str) -> list[str]:
        folder = self.folder / site / customer
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def events(self, chain: str) -> Counter[str]:
        with self.records.read() as tx:
            query = f"SELECT event FROM evidence WHERE chain = '{chain}'"  # noqa: S608 - our own text
            return Counter(row.event for row in tx.connection.exec_driver_sql(query))

    def mails(self) -> list[dict[str, Any]]:
        with self.records.read() as tx:
            rows = tx.connection.exec_driver_sql("SELECT message_id FROM outbox ORDER BY queued_at").all()
            found = [outbox.by_message(tx, row.message_id) for row in rows]
            return [each.context for each in found if each is not None]

    def backup(self, customer: str, on: datetime) -> cases.Case:
        with self.records.read() as tx:
            return cases.by_key(tx, f"backup/{customer}/{night_of(on).on}")
