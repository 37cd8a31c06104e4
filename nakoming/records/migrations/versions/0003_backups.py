"""Backups of customers' systems, and the proofs that they can be restored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nakoming.records.types import Instant

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "backup_sets",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("set_id", sa.String(length=40), nullable=False),
        sa.Column("night_on", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=True),
        sa.Column("key_id", sa.String(length=200), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("raw_bytes", sa.BigInteger(), nullable=True),
        sa.Column("rows_total", sa.BigInteger(), nullable=True),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("taken_at", Instant(), nullable=True),
        sa.Column("verified_at", Instant(), nullable=True),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.Column("rule", sa.String(length=200), nullable=True),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_backup_sets_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_sets")),
        sa.UniqueConstraint("customer", "sequence", name=op.f("uq_backup_sets_customer")),
    )
    op.create_index("ix_backup_sets_customer", "backup_sets", ["customer", "state"])
    op.create_index("ix_backup_sets_night_on", "backup_sets", ["night_on"])
    op.create_table(
        "backup_proofs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("backup_set_id", sa.String(length=32), nullable=False),
        sa.Column("site", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("rpo_seconds", sa.BigInteger(), nullable=True),
        sa.Column("rto_seconds", sa.BigInteger(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["backup_set_id"], ["backup_sets.id"], name=op.f("fk_backup_proofs_backup_set_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_backup_proofs_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_proofs")),
    )
    op.create_index("ix_backup_proofs_backup_set_id", "backup_proofs", ["backup_set_id", "at"])
