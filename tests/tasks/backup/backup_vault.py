"""Three customers' databases, two folders that keep their backups, and one where restores are tried."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import get_client

from blocks.backup.scratch_sqlite import SqliteScratch
from blocks.backup.site_folder import FolderSite
from blocks.backup.source_sqlite import SqliteSource
from nakoming.agreement.nights import night_of
from nakoming.records import backup_proofs, backups, clock, outbox
from tasks.backup import drill, night, scrub
from tests.harness.installation import Walker
from tests.tasks.backup.conftest import CUSTOMERS

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.records.backup_proofs import BackupProof, ProofKind
    from nakoming.records.backups import BackupEntry
    from nakoming.records.store import Records

START = datetime(2026, 11, 24, 1, 10, tzinfo=UTC)  # Tuesday, 02:10 in Amsterdam
DRILL = timedelta(hours=1, minutes=50)  # 04:00
DAY = timedelta(days=1)


@dataclass
class BackupVault:
    """All of it below one folder."""

    records: Records
    folder: Path

    def made(self) -> BackupVault:
        """With a database of a hundred rows for each customer, and all blocks."""
        for site in ("near", "far"):
            (self.folder / site).mkdir(parents=True)
            FolderSite(folder=self.folder / site, machine=f"{site}.example").save(site, overwrite=True)
        (self.folder / "trial").mkdir()
        SqliteScratch(folder=self.folder / "trial").save("trial", overwrite=True)
        for customer in CUSTOMERS:
            self.fill(customer, 100)
            SqliteSource(path=self.database(customer)).save(f"{customer}-suite", overwrite=True)
        return self

    def database(self, customer: str) -> Path:
        return self.folder / "live" / f"{customer}.sqlite"

    def fill(self, customer: str, rows: int) -> None:
        self.database(customer).parent.mkdir(exist_ok=True)
        with sqlite3.connect(self.database(customer)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, note TEXT)")
            connection.execute("DELETE FROM orders")
            many = [(number, f"order {number} of {customer}") for number in range(rows)]
            connection.executemany("INSERT INTO orders VALUES (?, ?)", many)
        connection.close()

    def set_to(self, at: datetime) -> None:
        with self.records.write() as tx:
            clock.set_to(tx.connection, at)

    def backed_up(self, at: datetime = START) -> None:
        """A night of backups of all."""
        self.set_to(at)
        on = str(night_of(at).on)
        assert Walker(self.records, night.PROCESS, "vendor", on, {"night": on}).enter() == night.VERIFIED

    def drill(self, at: datetime, again: int = 0) -> Walker:
        self.set_to(at)
        on = str(night_of(at).on)
        given = {"night": on, "again": again}
        return Walker(self.records, drill.PROCESS, "vendor", f"{on}.{again}" if again else on, given)

    def scrub(self, month: str = "2026-11") -> Walker:
        return Walker(self.records, scrub.PROCESS, "vendor", month, {"subject": month})

    def newest(self, customer: str) -> BackupEntry:
        with self.records.read() as tx:
            found = backups.newest_verified(tx, customer)
        assert found is not None
        return found

    def restorable(self) -> set[str]:
        """Whose newest backup counts as one that can be restored."""
        with self.records.read() as tx:
            return set(backups.newest_restorable(tx))

    def proofs(self, customer: str, kind: ProofKind = "drill") -> list[BackupProof]:
        with self.records.read() as tx:
            return backup_proofs.series(tx, customer, kind)

    def part(self, site: str, customer: str, name: str = "database.age") -> Path:
        return self.folder / site / customer / self.newest(customer).set_id / name

    def damage(self, site: str, customer: str, name: str = "database.age") -> None:
        """One bit of a file that is kept."""
        path = self.part(site, customer, name)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    def scratches(self) -> list[str]:
        """What lies where restores are tried."""
        return sorted(each.name for each in (self.folder / "trial").iterdir())

    def events(self, chain: str) -> Counter[str]:
        with self.records.read() as tx:
            query = f"SELECT event FROM evidence WHERE chain = '{chain}'"  # noqa: S608 - our own text
            return Counter(row.event for row in tx.connection.exec_driver_sql(query))

    def mails(self) -> list[dict[str, Any]]:
        with self.records.read() as tx:
            rows = tx.connection.exec_driver_sql("SELECT message_id FROM outbox ORDER BY queued_at").all()
            found = [outbox.by_message(tx, row.message_id) for row in rows]
            return [each.context for each in found if each is not None]


def artifact(key: str) -> list[dict[str, Any]]:
    """The rows of a table as operators see it."""
    with get_client(sync_client=True) as client:
        answer = client.request("GET", "/artifacts/{key}/latest", path_params={"key": key})
        return list(json.loads(answer.json()["data"]))
