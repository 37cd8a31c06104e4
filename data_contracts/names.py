"""The names of the columns that stand beside a contract's own where rows are judged.

No column of a contract holds two underscores in a row, so none can be called like these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from data_contracts.rules import Rule

ROW_ID: Final = "row_id"
"""Numbers the rows of a staging table."""
VALUE: Final = "__value"
"""Ends the name of the column with the value of another, which has its text."""
KNOWN: Final = "__known"
"""Ends the name of the column that says whether what another refers to is in the Suite."""
ALIVE: Final = "alive__row"
"""Whether the ERP still has the row."""
LOOSE: Final = "loose__row"
"""Whether anything was trimmed of a key."""
_PLACE: Final = "place__row"


def place_name(rule: Rule) -> str:
    """The column with a row's place among those of the same key."""
    return f"{rule.name.partition('.')[0]}__{_PLACE}"
