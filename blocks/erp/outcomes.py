"""What the Suite wants done at an ERP, what became of it, what was read back; `protocol` gives these too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Guarantee = Literal["exactly-once", "at-least-once with detection"]


@dataclass(frozen=True, slots=True)
class OutEffect:
    """One change that the Suite makes at the ERP.

    Attributes:
        key: its idempotency key, unique for ever.
        table: the ERP's table.
        order_number: effects of one order happen in the order they are given.
        natural_key: the columns that name the row at the ERP.
        values: the columns to set. An insert writes `natural_key` and `values`, an update finds its row by
            `natural_key`.
        action: an update must find exactly one row.
        key_column: unique column of `table` that takes the key (inserts); None when there is none.
        key_table: table of `external_key` (primary key) and `at`; None: the connection's own, if it stands.
    """

    key: str
    table: str
    order_number: str
    natural_key: Mapping[str, Any]
    values: Mapping[str, Any]
    action: Literal["insert", "update"] = "insert"
    key_column: str | None = None
    key_table: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """The effect is at the ERP.

    Attributes:
        key: whose.
        already: it had been there before this call; nothing was done.
        guarantee: `at-least-once with detection` where the ERP holds no key of ours.
    """

    key: str
    already: bool = False
    guarantee: Guarantee = "exactly-once"


@dataclass(frozen=True, slots=True)
class Refused:
    """The effect is not at the ERP, and neither is its key.

    Attributes:
        key: whose.
        message: the ERP's own words, or ours when it had none.
        code: the ERP's own code (SQLSTATE, SQLite's name), when it has one.
        again: true when the same effect may pass later unchanged (a lock, a dead end between two writers).
        behind: the key of the earlier effect of the same order that stopped this one; it was not tried.
    """

    key: str
    message: str
    code: str | None = None
    again: bool = False
    behind: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What was written reads back equal."""

    key: str


@dataclass(frozen=True, slots=True)
class Missing:
    """The row is not there."""

    key: str


@dataclass(frozen=True, slots=True)
class Different:
    """The row is there with other values: column to (what we wrote, what stands there)."""

    key: str
    differences: Mapping[str, tuple[Any, Any]]
