"""From where on a table is read, and how far its watermark may go: never past what may still be committed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from blocks.erp.errors import WatermarkInFuture
from blocks.erp.marks import as_instant, like
from blocks.erp.protocol import Since, Window
from blocks.erp.statements import Condition

if TYPE_CHECKING:
    from blocks.erp.protocol import Change
    from blocks.erp.session import SqlSession

OVERLAP: Final = 1_000
"""So many versions or keys are read again where an ERP cannot say which of them are still being written."""


@dataclass(frozen=True, slots=True)
class Committed:
    """How far versions or keys are settled: no transaction that is still open has taken one up to `mark`.

    Attributes:
        mark: None when nothing is certain now: the watermark stays where it is.
        overlap: how many are read again where the ERP cannot tell; None where it can.
    """

    mark: Any
    overlap: int | None = None


def settled(session: SqlSession, table: str, change: Change, watermark: Any) -> Window:
    """Say what to read and the watermark to keep; see `blocks.erp.protocol.ErpSession`."""
    if change.kind == "changed_at":
        return _by_time(session, table, change, watermark)
    return _by_number(session, table, change, watermark)


def _by_number(session: SqlSession, table: str, change: Change, watermark: Any) -> Window:
    """Versions and keys are given out in one order and committed in another.

    All that is there is read; the watermark goes only as far as nothing lower can still appear. What lies
    above it is read again by the next fetch, which writes nothing of what is unchanged.
    """
    highest = session.high_mark(table, change.column)
    known = session.committed(table, change.column, highest)
    overlap = known.overlap if change.overlap is None else change.overlap
    if later(watermark, highest) != highest and highest is not None:
        # The row that carried it was deleted, or the ERP was brought back to an earlier day: then
        # changes from now on lie below it. Reading everything once is right in both cases.
        return Window(Since(change.column, None), known.mark, reach=highest)
    since = Since(change.column, watermark, overlap or None)
    return Window(since, later(watermark, known.mark), reach=later(watermark, highest))


def _by_time(session: SqlSession, table: str, change: Change, watermark: Any) -> Window:
    zone, now, overlap = session.bounds.zone, session.now(), change.overlap
    allowed = overlap if isinstance(overlap, timedelta) else timedelta(0)
    stood = as_instant(watermark, zone)
    if stood is not None and stood > now + allowed:
        both = {"watermark": f"{stood:%Y-%m-%d %H:%M:%S} UTC", "now": f"{now:%Y-%m-%d %H:%M:%S} UTC"}
        raise WatermarkInFuture(where=session.where, table=table, **both)
    since = Since(change.column, watermark, overlap)
    highest = session.high_mark(table, change.column)
    seen = as_instant(highest, zone)
    if seen is None or seen <= now:
        mark = later(watermark, highest)
        return Window(since, mark, reach=mark)
    upto_now = Condition(change.column, "<="), like(highest, now, zone)
    mark = later(watermark, session.highest(table, change.column, upto_now))
    return Window(since, mark, ahead=highest, reach=mark)


def later(watermark: Any, mark: Any) -> Any:
    """The watermark never goes back: the row that carried it may have been deleted."""
    if watermark is None or mark is None:
        return watermark if mark is None else mark
    try:
        return max(watermark, mark)
    except TypeError:  # the column has another type than it had: the drift of the contract speaks of that
        return mark


def below(value: Any, count: int) -> Any:
    """So many versions or keys lower; what is no number stays as it is."""
    return value - count if isinstance(value, int | Decimal) else value
