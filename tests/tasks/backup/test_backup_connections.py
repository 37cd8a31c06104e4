"""Which block a name of the agreement means, in a Prefect server that knows blocks of several kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from blocks.backup.site_folder import FolderSite
from blocks.backup.source_postgresql import PostgresqlSource
from blocks.backup.source_sqlite import SqliteSource
from tasks.backup.connections import (
    SCRATCHES,
    SITES,
    SOURCES,
    class_of,
    loaded_once,
    scratch_of,
    site_of,
    source_of,
)
from tasks.blocks import BlockAmbiguous, BlockOfNoKind
from tests.harness.block_names import forget, save_alone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.prefect_server import PrefectServer

pytestmark = [pytest.mark.clause("S-2.4.2"), pytest.mark.usefixtures("moved")]
NAME = "moved-database"


@pytest.fixture
def moved(tmp_path: Path, prefect_api: PrefectServer) -> Iterator[None]:
    """A customer's database on SQLite, before it moves."""
    del prefect_api
    save_alone(SqliteSource(path=tmp_path / "old.sqlite"), NAME)
    yield
    forget(NAME, kinds=SOURCES)


def on_postgresql() -> PostgresqlSource:
    return PostgresqlSource(host="db.example", username="backup", database="suite")


def test_after_a_move_to_another_engine_the_old_database_is_not_what_is_backed_up() -> None:
    assert isinstance(source_of(NAME), SqliteSource)
    on_postgresql().save(NAME)
    with pytest.raises(BlockAmbiguous) as refused:
        source_of(NAME)
    both = f"backup-source-postgresql/{NAME} and backup-source-sqlite/{NAME}"
    assert f"'{NAME}' names {both}; allowed: one source of backups of that name." in str(refused.value)
    SqliteSource.delete(NAME)
    found = source_of(NAME)
    assert isinstance(found, PostgresqlSource)
    assert found.host == "db.example"


def test_a_name_may_be_that_of_a_site_too(tmp_path: Path) -> None:
    FolderSite(folder=tmp_path, machine="vault.example").save(NAME, overwrite=True)
    try:
        with loaded_once():
            assert isinstance(source_of(NAME), SqliteSource)
            site = site_of(NAME)
            assert isinstance(site, FolderSite)
            assert site_of(NAME) is site
            assert isinstance(source_of(NAME), SqliteSource)
    finally:
        forget(NAME, kinds=SITES)


def test_a_name_that_no_block_bears_is_said_with_the_kinds_there_are() -> None:
    with pytest.raises(BlockOfNoKind, match=r"'moved-database' that is a scratch.*one of PostgresqlScr"):
        scratch_of(NAME)


def test_each_kind_is_known_by_its_slug() -> None:
    for family in (SOURCES, SITES, SCRATCHES):
        for slug, kind in family.items():
            assert class_of(kind).get_block_type_slug() == slug
