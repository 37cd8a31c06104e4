"""The tables as this revision of the code sees them; `migrations` brings a database there."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from suite.instants import Instant

metadata = MetaData()

production_orders = Table(
    "production_orders",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("customer", String(120), nullable=False),
    Column("article", String(60), nullable=False),
    Column("description", String(400), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("status", String(12), nullable=False),
    # Set when master data is changed here; the exchange sees by it what it overrules, and empties it.
    Column("changed_in_suite_at", Instant),
)

operations = Table(
    "operations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_number", ForeignKey("production_orders.number"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("name", String(120), nullable=False),
    Column("planned_minutes", Integer, nullable=False),
    UniqueConstraint("order_number", "sequence"),
)

registered_hours = Table(
    "registered_hours",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("operation_id", ForeignKey("operations.id"), nullable=False, index=True),
    Column("employee", String(120), nullable=False),
    Column("worked_on", Date, nullable=False),
    Column("minutes", Integer, nullable=False),
)

planned_materials = Table(
    "planned_materials",
    metadata,
    Column("order_number", ForeignKey("production_orders.number"), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("article", String(60), nullable=False),
    Column("quantity", Numeric(12, 3), nullable=False),
    Column("unit", String(10), nullable=False),
)

used_materials = Table(
    "used_materials",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_number", ForeignKey("production_orders.number"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("article", String(60), nullable=False),
    Column("quantity", Numeric(12, 3), nullable=False),
    Column("unit", String(10), nullable=False),
    UniqueConstraint("order_number", "line"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_number", ForeignKey("production_orders.number"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("content_type", String(100), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

erp_outbox = Table(
    "erp_outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("interface", String(20), nullable=False),
    Column("order_number", String(20), nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,  # a number is never given twice, whatever was removed
)
