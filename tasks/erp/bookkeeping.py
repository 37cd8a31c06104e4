"""The exchange's own tables in the Suite's database: written in the transaction of the rows they speak of.

They lie there, and not in the records, so that a watermark and its rows are committed together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

from nakoming.records.types import Instant

if TYPE_CHECKING:
    from sqlalchemy import Connection

metadata = MetaData()

_Number = BigInteger().with_variant(Integer, "sqlite")

# One row an interface. `batches` rises with each load: who loads compares it with what it read before.
marks = Table(
    "erp_sync_marks",
    metadata,
    Column("interface", String(40), primary_key=True),
    Column("mark", Text),
    Column("batches", Integer, nullable=False),
    Column("contract_version", String(40)),
    Column("loaded_at", Instant),
)

batches = Table(
    "erp_sync_batches",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("interface", String(40), nullable=False),
    Column("run", String(200), nullable=False),
    Column("staged", Integer, nullable=False),
    Column("created", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("quarantined", Integer, nullable=False),
    Column("mark_before", Text),
    Column("mark_after", Text),
    Column("loaded_at", Instant, nullable=False, index=True),
)

# The ledger of transactions that came in: which key was made, changed or removed by which batch. No key of
# its own and one narrow index: a million rows must cost little.
transactions = Table(
    "erp_sync_transactions",
    metadata,
    Column("batch", _Number, nullable=False),
    Column("key", Text, nullable=False),
    Column("change", String(12), nullable=False),
    Index("erp_sync_transactions_batch", "batch").ddl_if(dialect="sqlite"),
    Index("erp_sync_transactions_batch_brin", "batch", postgresql_using="brin").ddl_if(dialect="postgresql"),
)

quarantine = Table(
    "erp_sync_quarantine",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("interface", String(40), nullable=False),
    Column("batch", _Number, nullable=False),
    Column("key", Text, nullable=False),
    Column("reasons", Text, nullable=False),  # JSON: words per language
    Column("row", Text, nullable=False),  # JSON: the row as it came
    Column("state", String(12), nullable=False),  # waiting, replayed, superseded, dropped
    Column("quarantined_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("settled_because", Text),
    Index("erp_sync_quarantine_waiting", "interface", "state", "key"),
)

# What goes out. A row of the Suite's outbox is moved here in one transaction: it is taken once.
outgoing = Table(
    "erp_sync_outgoing",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=False),
    Column("interface", String(40), nullable=False),
    Column("order_number", String(60), nullable=False),
    Column("payload", Text, nullable=False),  # JSON: what is written at the ERP
    Column("created_at", Instant, nullable=False),
    Column("state", String(12), nullable=False),  # taken, sent, acknowledged, dead, dropped
    Column("attempts", Integer, nullable=False),
    Column("message", Text),  # the ERP's own words
    Column("sent_at", Instant),
    Column("acknowledged_at", Instant, index=True),
    Column("guarantee", String(40)),
    Column("settled_because", Text),
    Index("erp_sync_outgoing_state", "state", "id"),
    Index("erp_sync_outgoing_order", "order_number", "state"),
)

# Who won where both sides had changed the same: the ERP on master data, the Suite on hours and materials.
overrulings = Table(
    "erp_sync_overrulings",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("interface", String(40), nullable=False),
    Column("key", Text, nullable=False),
    Column("winner", String(10), nullable=False),
    Column("details", Text, nullable=False),  # JSON: column -> [lost, won]
    Column("overruled_at", Instant, nullable=False),
)

# Files that were taken: written with their rows, so that the same content has no effect a second time.
# `answered_at` follows when the file was answered and moved away.
files = Table(
    "erp_sync_files",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("interface", String(40), nullable=False),
    Column("batch", _Number, nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("answered_at", Instant),
)

# What an inbox held when it was looked at last: a file that must rest for long is compared with it.
listed = Table(
    "erp_sync_listed",
    metadata,
    Column("inbox", String(200), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("seen_at", Instant, nullable=False),
)

# The version of each row that the newest file brought, and the rows of files that were older than what the
# Suite held: the answer to a file names them.
file_versions = Table(
    "erp_sync_file_versions",
    metadata,
    Column("interface", String(40), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("version", Text, nullable=False),
)

outdated = Table(
    "erp_sync_outdated",
    metadata,
    Column("batch", _Number, nullable=False),
    Column("key", Text, nullable=False),
    Column("version", Text),
    Column("known", Text),  # what the Suite had; of the database, up to where it was fetched
    Index("erp_sync_outdated_batch", "batch"),
)

# What operators settled. Written with the row it settles; `proven_at` follows when the evidence stands in the
# records, which are another database.
settlings = Table(
    "erp_sync_settlings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(12), nullable=False),  # quarantine, dead_letter
    Column("number", _Number, nullable=False),
    Column("interface", String(40), nullable=False),
    Column("act", String(12), nullable=False),  # replayed, dropped
    Column("by", String(200), nullable=False),
    Column("details", Text, nullable=False),  # JSON: digests, names of repaired columns; no content
    Column("run", String(200)),  # the case that the row came with
    Column("settled_at", Instant, nullable=False),
    Column("proven_at", Instant),
    Index("erp_sync_settlings_unproven", "proven_at", "settled_at"),
)


# The Suite's own: it inserts, the exchange takes. Named here only as far as the exchange reads it.
suite_outbox = Table(
    "erp_outbox",
    MetaData(),
    Column("id", _Number, primary_key=True),
    Column("interface", String(40), nullable=False),
    Column("order_number", String(60), nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)


def prepare(connection: Connection) -> None:
    """Create what is missing of the exchange's tables; harmless when they are there."""
    metadata.create_all(connection, checkfirst=True)
