"""The urgency code of production orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Add the column."""
    connection.exec_driver_sql("ALTER TABLE production_orders ADD COLUMN urgency VARCHAR(8)")


def downgrade(connection: Connection) -> None:
    """Drop the column with what is in it."""
    connection.exec_driver_sql("ALTER TABLE production_orders DROP COLUMN urgency")
