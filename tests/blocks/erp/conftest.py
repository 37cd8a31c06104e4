"""Databases that play a customer's ERP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.blocks.erp.contract import COLUMNS, ROWS
from tests.blocks.erp.postgresql_erp import TABLES, OdbcErp, PostgresErp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.postgres import PostgresServer


@pytest.fixture(scope="session")
def erp_template(postgres_server: PostgresServer) -> Iterator[str]:
    """A database with the ERP's tables and rows, to be copied for each test."""
    with postgres_server.database() as name:
        with psycopg.connect(postgres_server.url(name, driver="postgresql")) as connection:
            connection.execute(TABLES)
            marks = ", ".join(["%s"] * len(COLUMNS))
            insert = f"INSERT INTO orders VALUES ({marks})"  # noqa: S608 - marks for values, and nothing else
            connection.cursor().executemany(insert, ROWS)
        yield name


@pytest.fixture
def postgres_erp(postgres_server: PostgresServer, erp_template: str) -> Iterator[PostgresErp]:
    """An ERP on PostgreSQL, reached directly."""
    with postgres_server.database(erp_template) as name:
        yield PostgresErp(postgres_server, name)


@pytest.fixture
def odbc_erp(postgres_server: PostgresServer, erp_template: str) -> Iterator[OdbcErp]:
    """An ERP on PostgreSQL, reached over ODBC."""
    with postgres_server.database(erp_template) as name:
        yield OdbcErp(postgres_server, name)
