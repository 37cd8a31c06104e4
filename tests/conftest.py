"""What every test stands on: a clean environment, this machine only, and real servers started once a session.

Under `--numprocesses` each worker process has servers of its own, started when the first test asks for them.
"""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.install_test_packages import locate
from tests.harness import isolation
from tests.harness.postgres import PostgresServer, postgres
from tests.harness.prefect_server import PrefectServer, prefect_server_in

if TYPE_CHECKING:
    from collections.abc import Iterator

# Before any test module imports Prefect, which reads its settings at import.
_HOME = tempfile.TemporaryDirectory(prefix="nakoming-home-", ignore_cleanup_errors=True)
isolation.clean_environment(Path(_HOME.name))
_FAULTS = Path(__file__).parents[1] / "build" / "faults.json"
_BEGAN_NS = Path(_HOME.name).stat().st_mtime_ns  # the clock of the file system itself
isolation.close_the_outside()
# A shell ignores interrupts on behalf of what it starts in the background. What a test starts inherits that,
# and Prefect's own worker, which ends by an interrupt, would have to be killed after a minute.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# The files that take minutes come first: begun last, one of them would run alone at the end.
LONGEST_FIRST = (
    "tests/faults/",
    "tests/acceptance/",
    "tests/flows/",
    "tests/deployments/",
    "tests/tasks/backup/",
    "tests/tasks/erp/",
    "tests/architecture/",
    "tests/demo/",
)


def _place(item: pytest.Item) -> int:
    starts = [number for number, folder in enumerate(LONGEST_FIRST) if item.nodeid.startswith(folder)]
    return starts[0] if starts else len(LONGEST_FIRST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a server or a browser by the fixtures it asks for, so that nobody has to remember."""
    items.sort(key=_place)
    marks = {"postgres_server": pytest.mark.postgres, "chromium": pytest.mark.browser}
    for item in items:
        for fixture, mark in marks.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the kill matrix found, when it has run: its tests may have run in another process."""
    if _FAULTS.exists() and _FAULTS.stat().st_mtime_ns > _BEGAN_NS:
        from tests.faults import report  # heavy: it names what the product does

        terminalreporter.section("kill matrix")
        terminalreporter.line(report.table(report.read()))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL cluster of this session."""
    with postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh, empty PostgreSQL database (SQLAlchemy's form, driver psycopg), dropped afterwards."""
    with postgres_server.database() as name:
        yield postgres_server.url(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database in a file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'records.sqlite'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each of the two databases in turn: the same test must hold on both."""
    # Asked for by name, so that the SQLite half starts no PostgreSQL.
    url: str = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])
    return url


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A real Prefect server of this session, on SQLite, its services on."""
    with prefect_server_in(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture
def prefect_api(prefect_server: PrefectServer) -> Iterator[PrefectServer]:
    """The server, with Prefect in this process speaking to it for the length of the test."""
    with prefect_server.settings():
        yield prefect_server


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's Chromium."""
    return locate("chromium")
