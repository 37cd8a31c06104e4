"""Kill -9 at ten instants of each dump and at every boundary of one customer's backup (S-2.4.2, S-2.4.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.blocks.conftest import sshd_in
from tests.faults import report
from tests.faults.backup_child import DUMP, KEPT, PARTED, PROCESS
from tests.faults.backup_world import backup_world
from tests.faults.boundaries import CLOSED, INTENT, LEASED, OUTCOME, RECORDED
from tests.faults.outside import Damage, added

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.blocks.conftest import Sshd
    from tests.faults.cutting import Mode
    from tests.harness.postgres import PostgresServer
    from tests.harness.prefect_server import PrefectServer

pytestmark = [pytest.mark.timeout(900), pytest.mark.clause("S-2.4.2", "S-2.4.6")]
KINDS = {LEASED, INTENT, OUTCOME, RECORDED, CLOSED, DUMP, KEPT, PARTED}
TENTHS = 10
MOST_PLAYS = 3
RECOVERY_SECONDS = 20.0
# Of the short run: with PostgreSQL only what is another thing there than with SQLite.
SMALL = {
    "SQLite": ("SqliteDump", "FolderSite", "SftpSite", "backup", "history", "start", "verified", "tasks."),
    "PostgreSQL": ("PostgresqlDump", "backup/1/database"),
}


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd_in(tmp_path_factory.mktemp("kills-sshd")) as server:
        yield server


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.long),
        pytest.param("postgresql", marks=pytest.mark.postgres),
    ]
)
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    """Where the customer's database is; None: it is a file of SQLite."""
    if request.param == "sqlite":
        return None
    found: PostgresServer = request.getfixturevalue("postgres_server")
    return found


def played(
    api: PrefectServer, sshd: Sshd, server: PostgresServer | None, **order: Any
) -> tuple[list[dict[str, Any]], Damage]:
    """The journal of a play, and the damage it left."""
    with api.settings(), backup_world(api.api_url, sshd, server) as world:
        world.play(**order)
        return world.lines, world.damage()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("backup-night, each boundary once", "once"),
        pytest.param("backup-night, both sides", "both", marks=pytest.mark.long),
    ],
)
def test_a_kill_at_any_boundary_leaves_one_backup(
    name: str, mode: Mode, prefect_server: PrefectServer, sshd: Sshd, server: PostgresServer | None
) -> None:
    leases = mode == "both"
    unharmed, none = played(prefect_server, sshd, server, leases=leases)
    assert none.is_none, none
    assert_every_kind(unharmed)
    kind = "SQLite" if server is None else "PostgreSQL"
    every = report.planned(unharmed, PROCESS, mode)
    planned = {place for place in every if leases or place[1].startswith(SMALL[kind])}
    lines: list[dict[str, Any]] = []
    damages: list[Damage] = []
    while len(damages) < MOST_PLAYS and (left := planned - cut(lines)):
        spared = frozenset((PROCESS, *place) for place in cut(lines) | (every - planned))
        more, damage = played(prefect_server, sshd, server, mode=mode, spared=spared, leases=leases)
        lines += more
        damages.append(damage)
    found = report.entry(f"{name}, {kind}", PROCESS, planned=planned, lines=lines, damage=added(damages))
    report.write([found])
    assert not (left := planned - cut(lines)), left
    assert (added(damages).lost, added(damages).doubled) == ([], [])
    assert (found.recovery_median_seconds or 0) < RECOVERY_SECONDS


def cut(lines: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(line["kind"], line["name"], line["phase"]) for line in lines if line["event"] == "cut"}


def assert_every_kind(lines: list[dict[str, Any]]) -> None:
    passed = {(line["kind"], line["name"]) for line in lines if line["event"] == "passed"}
    assert {kind for kind, _ in passed} >= KINDS
    assert sum(kind == DUMP for kind, _ in passed) == 2 * TENTHS


def test_unfinished_files_that_nobody_replaces_are_seen(prefect_server: PrefectServer, sshd: Sshd) -> None:
    _, damage = played(prefect_server, sshd, None, mode="once", only=("FolderSite",), damage=True)
    assert any(fault.what.endswith(".part") for fault in damage.doubled)


def test_two_backups_of_one_customer_at_once_are_one(prefect_server: PrefectServer, sshd: Sshd) -> None:
    with prefect_server.settings(), backup_world(prefect_server.api_url, sshd, None) as world:
        world.at_once(3)
        damage = world.damage()
    assert damage.is_none, damage
