"""Orders, operations, hours, materials, documents, outbox: frozen here as they were in 1.0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
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

if TYPE_CHECKING:
    from sqlalchemy import Connection

metadata = MetaData()
ORDER = "production_orders.number"

Table(
    "production_orders",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("customer", String(120), nullable=False),
    Column("article", String(60), nullable=False),
    Column("description", String(400), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("status", String(12), nullable=False),
    Column("changed_in_suite_at", DateTime(timezone=True)),
)
Table(
    "operations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_number", ForeignKey(ORDER), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("name", String(120), nullable=False),
    Column("planned_minutes", Integer, nullable=False),
    UniqueConstraint("order_number", "sequence"),
)
Table(
    "registered_hours",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("operation_id", ForeignKey("operations.id"), nullable=False, index=True),
    Column("employee", String(120), nullable=False),
    Column("worked_on", Date, nullable=False),
    Column("minutes", Integer, nullable=False),
)
Table(
    "planned_materials",
    metadata,
    Column("order_number", ForeignKey(ORDER), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("article", String(60), nullable=False),
    Column("quantity", Numeric(12, 3), nullable=False),
    Column("unit", String(10), nullable=False),
)
Table(
    "used_materials",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_number", ForeignKey(ORDER), nullable=False),
    Column("line", Integer, nullable=False),
    Column("article", String(60), nullable=False),
    Column("quantity", Numeric(12, 3), nullable=False),
    Column("unit", String(10), nullable=False),
    UniqueConstraint("order_number", "line"),
)
Table(
    "documents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_number", ForeignKey(ORDER), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("content_type", String(100), nullable=False),
    Column("content", LargeBinary, nullable=False),
)
Table(
    "erp_outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("interface", String(20), nullable=False),
    Column("order_number", String(20), nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    sqlite_autoincrement=True,
)


def upgrade(connection: Connection) -> None:
    """Create the tables."""
    metadata.create_all(connection)


def downgrade(connection: Connection) -> None:
    """Drop the tables with what is in them."""
    metadata.drop_all(connection)
