"""Checks rows with great_expectations: a frame in memory, or a staging table where it lies.

The exchange itself judges with `data_contracts.sql`, which is a hundred times as fast; this is the second
opinion, by somebody else's program, for a check by hand and for whoever wants the suite. A property test
holds that both say the same of every row.
"""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from data_contracts import sql
from data_contracts.errors import ValidationBroke
from data_contracts.frames import view_of_frame
from data_contracts.names import ROW_ID, VALUE
from data_contracts.report import SAMPLES, report_of
from data_contracts.rules import rules_of
from data_contracts.suite import RULE, library, suite_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    import pandas as pd

    from data_contracts.contract import Contract
    from data_contracts.report import Report

VIEW = "data_contract_view"
_ALL = 2**31 - 1
Broken = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class StagedRows:
    """A staging table and the engine that reaches it; `references`: the Suite's tables lie there too."""

    engine: sa.Engine
    table: sa.Table
    references: bool = True


def validate(
    contract: Contract,
    rows: pd.DataFrame | StagedRows,
    *,
    known: Mapping[str, Collection[Any]] | None = None,
) -> Report:
    """Check rows against a contract.

    Args:
        contract: what was agreed.
        rows: a frame with the ERP's column names, or a staging table.
        known: of a frame, what the Suite knows for each column that refers to it; None: not judged.

    Raises:
        StagingUnfit: a column of the contract is missing.
        ValidationBroke: the library gave up on a rule.
    """
    if isinstance(rows, StagedRows):
        return _of_table(contract, rows)
    view = view_of_frame(contract, rows, known)
    broken = _judged(contract, lambda: _frame_engine(view), references=known is not None)
    # Numbered as the view numbers them: the frame may have no numbers of its own.
    values = dict(zip(view[ROW_ID].tolist(), rows.to_dict("records"), strict=True))
    return _report(contract, len(view), broken, values.__getitem__, references=known is not None)


def broken_rows(
    contract: Contract,
    rows: pd.DataFrame | StagedRows,
    *,
    known: Mapping[str, Collection[Any]] | None = None,
) -> Broken:
    """Return, for each rule, the numbers of the rows that break it; see `validate`."""
    if isinstance(rows, StagedRows):
        with _view_in(contract, rows) as engine:
            return _judged(contract, lambda: _table_engine(engine), references=rows.references)
    view = view_of_frame(contract, rows, known)
    return _judged(contract, lambda: _frame_engine(view), references=known is not None)


def _of_table(contract: Contract, staged: StagedRows) -> Report:
    broken = broken_rows(contract, staged)
    shown = {number for numbers in broken.values() for number in numbers[:SAMPLES]}
    with staged.engine.connect() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(staged.table)).scalar_one()
        # Few enough for one statement: a handful for each rule.
        query = sa.select(staged.table).where(staged.table.c[ROW_ID].in_(sorted(shown)))
        values = {row[ROW_ID]: dict(row) for row in connection.execute(query).mappings()}
    return _report(contract, count, broken, values.__getitem__, references=staged.references)


def _report(
    contract: Contract,
    count: int,
    broken: Broken,
    row_of: Callable[[int], Mapping[Any, Any]],
    *,
    references: bool,
) -> Report:
    rules = rules_of(contract)
    counted = {rule.name for rule in rules if rule.counts}
    bad = {number for name, numbers in broken.items() if name in counted for number in numbers}
    samples = ((name, at, row_of(at)) for name, numbers in broken.items() for at in numbers[:SAMPLES])
    unchecked = () if references else tuple(rule.name for rule in rules if rule.kind == "reference")
    times = Counter({name: len(numbers) for name, numbers in broken.items()})
    return report_of(
        contract, rows=count, bad_rows=len(bad), broken=times, samples=samples, unchecked=unchecked
    )


def _judged(contract: Contract, open_engine: Callable[[], tuple[Any, Any]], *, references: bool) -> Broken:
    """Run the suite; the library's own context lives in memory and is told to keep to itself."""
    gx = library()
    from great_expectations.core.batch import Batch
    from great_expectations.validator.validator import Validator

    suite = suite_of(contract, references=references)
    with warnings.catch_warnings():
        # What the library does with frames is for its makers to keep up with.
        warnings.simplefilter("ignore")
        engine, data = open_engine()
        context = _context(gx)
        validator: Any = Validator(execution_engine=engine, data_context=context, batches=[Batch(data=data)])
        # Of a table the library names twenty rows a rule, also where it is asked for all of them.
        form = {
            "result_format": "COMPLETE",
            "unexpected_index_column_names": [ROW_ID],
            "partial_unexpected_count": _ALL,
        }
        try:
            result = validator.validate(suite, result_format=form)
        finally:
            getattr(engine, "close", _nothing)()  # only what connects to a database can be closed
    return dict(_numbers(contract, result.results))


def _nothing() -> None:
    return None


def _context(gx: Any) -> Any:
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _numbers(contract: Contract, results: Iterable[Any]) -> Iterator[tuple[str, list[int]]]:
    for each in results:
        rule = each.expectation_config.meta[RULE]
        failed = [found for found in _exceptions(each.exception_info) if found.get("raised_exception")]
        if failed:
            reason = " ".join(str(failed[0].get("exception_message")).split())
            raise ValidationBroke(interface=contract.interface, rule=rule, reason=reason)
        found = each.result.get("unexpected_index_list") or ()
        yield rule, sorted(int(row[ROW_ID]) for row in found)


def _exceptions(info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    # One for the whole expectation, or one for each of the figures that it needs.
    return (
        [info] if "raised_exception" in info else [each for each in info.values() if isinstance(each, dict)]
    )


def _frame_engine(view: pd.DataFrame) -> tuple[Any, Any]:
    from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine

    return PandasExecutionEngine(), view


def _table_engine(engine: sa.Engine) -> tuple[Any, Any]:
    from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine

    made = SqlAlchemyExecutionEngine(engine=engine, create_temp_table=False)
    return made, SqlAlchemyBatchData(execution_engine=made, table_name=VIEW, create_temp_table=False)


@contextmanager
def _view_in(contract: Contract, staged: StagedRows) -> Iterator[sa.Engine]:
    """A connection of its own, with the view of the staging table as a temporary table in it."""
    raw = staged.engine.raw_connection()
    driver = raw.driver_connection
    # The URL says nothing here but which database it is; the connection is open already.
    kind = f"{staged.engine.dialect.name}+{staged.engine.dialect.driver}://"
    engine = sa.create_engine(kind, creator=lambda: driver, poolclass=StaticPool)
    try:
        with engine.begin() as connection:
            query = sql.view_of(contract, staged.table, engine.dialect, references=staged.references)
            table = _table_of(contract, query)
            table.create(connection)
            connection.execute(table.insert().from_select([column.name for column in table.columns], query))
        yield engine
    finally:
        raw.invalidate()  # closed: what was made in it must not come back to others from the pool


def _table_of(contract: Contract, query: sa.Select[Any]) -> sa.Table:
    kinds: dict[str, Any] = {column.name: sa.Text for column in contract.table.columns}
    for column in contract.table.columns:
        fraction = column.logical_type == "number"
        kinds[f"{column.name}{VALUE}"] = sa.Double if fraction else sa.BigInteger
    columns = [sa.Column(each.name, kinds.get(each.name, sa.BigInteger)) for each in query.selected_columns]
    return sa.Table(VIEW, sa.MetaData(), *columns, prefixes=["TEMPORARY"])
