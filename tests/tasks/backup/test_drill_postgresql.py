"""The drill on a PostgreSQL of its own: restored beside live databases, compared, dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from blocks.backup.scratch_postgresql import PostgresqlScratch
from blocks.backup.source_postgresql import PostgresqlSource
from tasks.backup import drill
from tasks.backup.drill_scratch import live_names, scratch_name
from tests.harness.installation import backed_up_as, load_agreements
from tests.tasks.backup.backup_vault import DRILL, START, BackupVault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.postgres import PostgresServer
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-2.4.7", "S-2.1.3d")


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as name:
        with psycopg.connect(postgres_server.url(name, "postgresql"), autocommit=True) as connection:
            connection.execute("CREATE TABLE orders (id int PRIMARY KEY, note text)")
            connection.execute("INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, 500) n")
        yield name


@pytest.fixture
def vault(
    records: Records,
    tmp_path: Path,
    prefect_api: PrefectServer,
    postgres_server: PostgresServer,
    database: str,
) -> BackupVault:
    del prefect_api
    login = {"host": postgres_server.host, "port": postgres_server.port, "username": "postgres"}
    PostgresqlSource.model_validate(login | {"database": database}).save("kestrel-pg", overwrite=True)
    PostgresqlScratch.model_validate(login).save("pg-trial", overwrite=True)
    blocks = "database: kestrel-pg, first_site: near, second_site: far, scratch: pg-trial"
    load_agreements(
        records,
        brouwer=backed_up_as("brouwer", ""),
        fenwick=backed_up_as("fenwick", ""),
        kestrel=backed_up_as("kestrel", f"backup: {{{blocks}}}\n"),
    )
    found = BackupVault(records, tmp_path / "vault").made()
    found.backed_up()
    return found


def databases(server: PostgresServer) -> set[str]:
    with psycopg.connect(server.url(driver="postgresql")) as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}


def test_it_is_restored_beside_the_live_one_and_dropped(
    vault: BackupVault, postgres_server: PostgresServer, database: str
) -> None:
    left = scratch_name("kestrel")
    with psycopg.connect(postgres_server.url(driver="postgresql"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {left}".encode())  # as a killed drill leaves it
    assert database in live_names(vault.records)
    assert vault.drill(START + DRILL).enter() == drill.PROVEN
    (proof,) = vault.proofs("kestrel")
    assert proof.good
    assert "500 rows of 1 tables are equal. amcheck found" in proof.said
    assert left not in databases(postgres_server)
    assert database in databases(postgres_server)


def test_a_copy_that_was_cut_is_bad_and_leaves_no_database(
    vault: BackupVault, postgres_server: PostgresServer
) -> None:
    part = vault.part("far", "kestrel")
    part.write_bytes(part.read_bytes()[:-100])
    assert vault.drill(START + DRILL).enter() == drill.NOT_ALL
    assert "is cut" in vault.proofs("kestrel")[0].said
    assert scratch_name("kestrel") not in databases(postgres_server)
