"""A key as the bookkeeping writes it: its parts as text, with a slash between them."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement


def key_text(columns: Sequence[ColumnElement[Any]]) -> ColumnElement[str]:
    """The key of a row, of the columns of its parts."""
    parts: list[ColumnElement[str]] = [cast(column, String) for column in columns]
    return reduce(lambda left, right: left.op("||")("/").op("||")(right), parts)
