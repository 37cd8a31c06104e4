"""Effects at an ERP: each once, in order within an order number, and compared after they were written.

A key stands in the same transaction as what it proves. Where the ERP has no place for keys, the row is looked
for first by its natural key: at least once, with detection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from blocks.erp.comparison import differences
from blocks.erp.errors import ErpEncodingWrong, ErpLocked, ErpSlow, ErpValueRefused
from blocks.erp.protocol import Applied, Different, Found, Missing, Refused
from blocks.erp.statements import Condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from blocks.erp.errors import ErpError
    from blocks.erp.protocol import OutEffect
    from blocks.erp.session import SqlSession
    from blocks.erp.statements import Statement

_DETECTED: Final = "at-least-once with detection"
_MOST_SLOW: Final = 3
"""So many effects in one call may run out of time; one more says that the ERP, not an effect, is slow."""


class _NotOne(Exception):
    """An effect does not meet the row it needs; rolls the transaction back, and never leaves this module."""


@dataclass
class _Batch:
    """What one call has met so far."""

    stopped: dict[str, str] = field(default_factory=dict)
    slow: int = 0


def apply(session: SqlSession, effects: Sequence[OutEffect]) -> list[Applied | Refused]:
    """Make each effect happen in a transaction of its own; see `blocks.erp.protocol.ErpSession`."""
    batch = _Batch()
    return [_in_order(session, effect, batch) for effect in effects]


def _in_order(session: SqlSession, effect: OutEffect, batch: _Batch) -> Applied | Refused:
    earlier = batch.stopped.get(effect.order_number)
    if earlier is not None:
        message = f"not tried: {earlier} of the same order was refused before it"
        return Refused(effect.key, message, again=True, behind=earlier)
    answer = _tried(session, effect, batch)
    if isinstance(answer, Refused):
        batch.stopped[effect.order_number] = effect.key
    return answer


def _tried(session: SqlSession, effect: OutEffect, batch: _Batch) -> Applied | Refused:
    try:
        with session.speaking(f"writing {effect.key} to {effect.table}"), session.transaction():
            return _written(session, effect)
    except _NotOne as error:
        return Refused(effect.key, str(error))
    except (ErpValueRefused, ErpEncodingWrong) as error:
        return _refused(effect, error)
    except ErpLocked as error:
        return _refused(effect, error, again=True)
    except ErpSlow as error:
        batch.slow += 1
        if batch.slow > _MOST_SLOW:
            raise
        return _refused(effect, error, again=True)


def _refused(effect: OutEffect, error: ErpError, *, again: bool = False) -> Refused:
    return Refused(effect.key, error.data["reason"], code=error.data.get("sqlstate"), again=again)


def _written(session: SqlSession, effect: OutEffect) -> Applied:
    if effect.key_column is not None:
        return _with_column(session, effect, effect.key_column)
    table = effect.key_table or (session.bounds.key_table if session.holds_keys else None)
    if table is None:
        return _with_natural_key(session, effect)
    if not _run(session, session.statements.take_key(table), [effect.key]):
        return Applied(effect.key, already=True)
    _change(session, effect)
    return Applied(effect.key)


def _with_column(session: SqlSession, effect: OutEffect, column: str) -> Applied:
    if effect.action == "update":
        # The row keeps its last key only, so an older effect that comes again is not known any more.
        there = _row(session, effect, [column])
        if there is not None and there[0] == effect.key:
            return Applied(effect.key, already=True, guarantee=_DETECTED)
        _change(session, effect, {column: effect.key})
        return Applied(effect.key, guarantee=_DETECTED)
    row = {**effect.natural_key, **effect.values, column: effect.key}
    statement = session.statements.insert_once(effect.table, list(row), column)
    return Applied(effect.key, already=not _run(session, statement, row.values()))


def _with_natural_key(session: SqlSession, effect: OutEffect) -> Applied:
    there = _row(session, effect, list(effect.values))
    if there is None and effect.action == "update":
        raise _NotOne(_no_row(effect))
    if there is None:
        _change(session, effect)
        return Applied(effect.key, guarantee=_DETECTED)
    if not differences(effect.values, there, session.bounds.zone):
        return Applied(effect.key, already=True, guarantee=_DETECTED)
    if effect.action == "insert":
        raise _NotOne(f"a row with {_named(effect)} stands in {effect.table} already, with other values")
    _change(session, effect)
    return Applied(effect.key, guarantee=_DETECTED)


def _change(session: SqlSession, effect: OutEffect, more: Mapping[str, Any] | None = None) -> None:
    values, keys = {**effect.values, **(more or {})}, effect.natural_key
    if effect.action == "insert":
        row = {**keys, **values}
        _run(session, session.statements.insert(effect.table, list(row)), row.values())
        return
    statement = session.statements.update(effect.table, list(values), list(keys))
    met = _run(session, statement, [*values.values(), *keys.values()])
    if met != 1:
        raise _NotOne(_no_row(effect) if not met else f"{met} rows of {effect.table} have {_named(effect)}")


def _run(session: SqlSession, statement: Statement, given: Iterable[Any]) -> int:
    named = {f"p{number}": session.adapted(value) for number, value in enumerate(given)}
    met: int = session.execute(statement, statement.values(named)).rowcount
    return met


def _row(session: SqlSession, effect: OutEffect, columns: Sequence[str]) -> tuple[Any, ...] | None:
    conditions = [Condition(column, "=") for column in effect.natural_key]
    statement = session.statements.select(effect.table, columns, conditions)
    values = [session.adapted(value) for value in effect.natural_key.values()]
    rows = session.execute(statement, values).fetchmany(2)
    if len(rows) > 1:
        raise _NotOne(f"more than one row of {effect.table} has {_named(effect)}")
    return tuple(rows[0]) if rows else None


def _no_row(effect: OutEffect) -> str:
    return f"no row of {effect.table} has {_named(effect)}"


def _named(effect: OutEffect) -> str:
    return ", ".join(f"{column} {value!s}" for column, value in effect.natural_key.items())


def read_back(session: SqlSession, effects: Sequence[OutEffect]) -> list[Found | Missing | Different]:
    """Compare what stands there with what was written; of two effects on a column the later counts."""
    last = _last_words(effects)
    return [_compared(session, effect, last) for effect in effects]


def _identity(effect: OutEffect) -> tuple[Any, ...]:
    return effect.table, *sorted((column, str(value)) for column, value in effect.natural_key.items())


def _last_words(effects: Sequence[OutEffect]) -> dict[tuple[Any, ...], OutEffect]:
    return {(_identity(effect), column): effect for effect in effects for column in effect.values}


def _compared(
    session: SqlSession, effect: OutEffect, last: Mapping[tuple[Any, ...], OutEffect]
) -> Found | Missing | Different:
    identity = _identity(effect)
    mine = {column: value for column, value in effect.values.items() if last[identity, column] is effect}
    columns = list(mine) or list(effect.natural_key)
    try:
        with session.speaking(f"reading back {effect.key} from {effect.table}"):
            there = _row(session, effect, columns)
    except _NotOne:
        there = None  # several rows answer to its key, so none of them is known to be its own
    if there is None:
        return Missing(effect.key)
    found = differences(mine, there, session.bounds.zone) if mine else {}
    return Different(effect.key, found) if found else Found(effect.key)
