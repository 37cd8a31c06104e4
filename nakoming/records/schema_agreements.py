"""The tables of agreements as they were loaded, and of the data contracts that they name."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKeyConstraint, Integer, LargeBinary, String, Table

from nakoming.records.schema_base import NAME as _NAME
from nakoming.records.schema_base import metadata
from nakoming.records.types import Instant

agreements = Table(
    "agreements",
    metadata,
    Column("customer", String(_NAME), primary_key=True),  # "vendor" holds the vendor's officers
    Column("version", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("body_sealed", LargeBinary, nullable=False),  # the file as it was loaded: it holds addresses
    Column("loaded_at", Instant, nullable=False),
)

agreement_contracts = Table(
    "agreement_contracts",
    metadata,
    Column("customer", String(_NAME), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("interface", String(40), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("body_sealed", LargeBinary, nullable=False),  # the customer's own data contract, as it was loaded
    ForeignKeyConstraint(
        ["customer", "version"],
        ["agreements.customer", "agreements.version"],
        name="fk_agreement_contracts_customer",
    ),
)
