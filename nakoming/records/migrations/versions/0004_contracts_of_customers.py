"""Data contracts of customers whose ERP differs, kept with the version of their agreement."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "agreement_contracts",
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("interface", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer", "version"],
            ["agreements.customer", "agreements.version"],
            name=op.f("fk_agreement_contracts_customer"),
        ),
        sa.PrimaryKeyConstraint("customer", "version", "interface", name=op.f("pk_agreement_contracts")),
    )
