"""What all tables share: the metadata, the names of constraints, the widths of names."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = 32  # uuid4 as hex
NAME = 200


def case_id(*, nullable: bool = False) -> Column[str]:
    """The column of the case that a row belongs to."""
    return Column("case_id", String(ID), ForeignKey("cases.id"), nullable=nullable)
