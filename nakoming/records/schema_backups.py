"""The tables of backups of customers' systems. Dates are text (2026-11-23), as names hold them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from nakoming.records.schema_base import ID, NAME, case_id, metadata
from nakoming.records.types import Instant

DATE = 10  # 2026-11-23

backup_sets = Table(  # what lies at the two sites, and what lay there; a row is never removed
    "backup_sets",
    metadata,
    Column("id", String(ID), primary_key=True),
    Column("customer", String(NAME), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("set_id", String(40), nullable=False),  # its folder at each site
    Column("night_on", String(DATE), nullable=False),
    Column("state", String(20), nullable=False),
    Column("manifest_sha256", String(64)),
    Column("key_id", String(NAME)),
    Column("bytes", BigInteger),  # as stored: compressed and encrypted
    Column("raw_bytes", BigInteger),
    Column("rows_total", BigInteger),
    Column("began_at", Instant, nullable=False),
    Column("taken_at", Instant),  # when the dump was asked for, by our own clock
    Column("verified_at", Instant),
    Column("deleted_at", Instant),
    Column("rule", String(NAME)),  # why it was deleted
    case_id(),
    UniqueConstraint("customer", "sequence"),
    Index("ix_backup_sets_customer", "customer", "state"),
    Index("ix_backup_sets_night_on", "night_on"),
)

backup_proofs = Table(  # each attempt to restore a set or to read it again, good or bad
    "backup_proofs",
    metadata,
    Column("id", String(ID), primary_key=True),
    Column("backup_set_id", String(ID), ForeignKey("backup_sets.id"), nullable=False),
    Column("site", String(NAME), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("at", Instant, nullable=False),
    Column("good", Boolean, nullable=False),
    Column("rpo_seconds", BigInteger),  # age of the data when it was proven
    Column("rto_seconds", BigInteger),  # how long the restore took
    Column("said", Text, nullable=False),
    case_id(nullable=True),
    Index("ix_backup_proofs_backup_set_id", "backup_set_id", "at"),
)
