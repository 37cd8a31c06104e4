"""Databases for the rules: one of each kind for a whole module, since every test fills its own table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from data_contracts.sql import violations
from tests.data_contracts.messy import fill, suite_tables, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from data_contracts.contract import Contract
    from tests.harness.postgres import PostgresServer


@pytest.fixture(scope="module")
def sqlite_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """A SQLite file with the Suite's orders."""
    engine = sa.create_engine(f"sqlite:///{tmp_path_factory.mktemp('rules') / 'suite.sqlite'}")
    suite_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def postgres_engine(postgres_server: PostgresServer) -> Iterator[sa.Engine]:
    """A PostgreSQL database with the Suite's orders."""
    with postgres_server.database() as name:
        engine = sa.create_engine(postgres_server.url(name))
        suite_tables(engine)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> sa.Engine:
    """Each of the two in turn: the same rule must mean the same in both."""
    name = {"sqlite": "sqlite_engine", "postgresql": "postgres_engine"}[request.param]
    found: sa.Engine = request.getfixturevalue(name)
    return found


@pytest.fixture
def judged(engine: sa.Engine) -> Callable[..., dict[str, list[int]]]:
    """Put rows into a staging table and judge them: the numbers of the rows by rule."""

    def judge(
        contract: Contract, rows: Sequence[Mapping[str, Any]], types: Mapping[str, Any] | None = None
    ) -> dict[str, list[int]]:
        return judged_in(engine, contract, rows, types)

    return judge


def judged_in(
    engine: sa.Engine,
    contract: Contract,
    rows: Sequence[Mapping[str, Any]],
    types: Mapping[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Judge rows in one database; the table is gone afterwards."""
    table = table_of(contract, types)
    table.create(engine)
    try:
        fill(engine, table, rows)
        return judged_as_they_stand(engine, contract, table)
    finally:
        table.drop(engine)


def judged_as_they_stand(engine: sa.Engine, contract: Contract, table: sa.Table) -> dict[str, list[int]]:
    """The numbers of the rows that break each rule."""
    found: dict[str, list[int]] = {}
    with engine.connect() as connection:
        for row_id, rule in connection.execute(violations(contract, table, engine.dialect)):
            found.setdefault(rule, []).append(row_id)
    return {rule: sorted(numbers) for rule, numbers in sorted(found.items())}
