from __future__ import annotations

import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.harness import isolation
from tests.harness.processes import ServerNotStartedError, running

if TYPE_CHECKING:
    from tests.harness.postgres import PostgresServer


def test_every_database_is_fresh_and_dropped(postgres_server: PostgresServer) -> None:
    names = []
    for _ in range(2):
        with (
            postgres_server.database() as name,
            psycopg.connect(postgres_server.url(name, driver="postgresql")) as connection,
        ):
            connection.execute("CREATE TABLE mark (n int)")
            names.append(name)
    with psycopg.connect(postgres_server.url(driver="postgresql")) as connection:
        left = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
    assert not left & set(names)
    assert len(set(names)) == 2


def test_a_database_is_dropped_under_whoever_is_still_connected(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as name:
        connection = psycopg.connect(postgres_server.url(name, driver="postgresql"))
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


def test_both_databases_are_offered(database_url: str) -> None:
    if database_url.startswith("sqlite:///"):
        path = database_url.removeprefix("sqlite:///")
        assert not Path(path).exists()
        sqlite3.connect(path).close()
    else:
        with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
            row = connection.execute("SELECT current_setting('server_version_num')::int").fetchone()
        assert row is not None
        assert row[0] >= 150000


def test_a_server_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys, tests.harness.processes as p\n"
        "log = pathlib.Path(sys.argv[1])\n"
        "up = lambda: log.read_text() == 'up\\n'\n"
        "command = ['sh', '-c', 'echo up; exec sleep 600']\n"
        "with p.running(command, log=log, answers=up, env=os.environ) as s:\n"
        "    print(s.pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "log")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        server = os.pidfd_open(int(starter.stdout.readline()))
        starter.kill()
        starter.communicate()
    # A pidfd becomes readable when its process ends; waiting on it needs no polling.
    ended, _, _ = select.select([server], [], [], 10)
    os.close(server)
    assert ended
    assert starter.returncode == -signal.SIGKILL


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo the port is taken; exit 3"]
    with (
        pytest.raises(ServerNotStartedError, match="the port is taken"),
        running(command, log=tmp_path / "log", answers=lambda: False, env=os.environ),
    ):
        pass


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, ("192.0.2.1", 80)),
        (socket.AF_INET, ("mail.customer.example", 25)),
        (socket.AF_INET6, ("2001:db8::1", 80, 0, 0)),
    ],
)
def test_no_test_reaches_another_machine(family: socket.AddressFamily, address: tuple[str, int]) -> None:
    with socket.socket(family) as outside, pytest.raises(isolation.OutsideConnectionError):
        outside.connect(address)
    with socket.socket(family, socket.SOCK_DGRAM) as outside, pytest.raises(isolation.OutsideConnectionError):
        outside.sendto(b"x", address)


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, server.getsockname()[1]), timeout=5).close()


def test_settings_of_the_person_are_forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_API_KEY", "NAKOMING_RECORDS_URL", "NAKOMING_TEST_MSSQL"):
        monkeypatch.setenv(name, "https://somebodys.cloud.example")
    for name in ("PREFECT_HOME", "PREFECT_SERVER_ANALYTICS_ENABLED", "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"):
        monkeypatch.setenv(name, os.environ[name])
    isolation.clean_environment(tmp_path)
    assert not {"PREFECT_API_URL", "PREFECT_API_KEY", "NAKOMING_RECORDS_URL"} & set(os.environ)
    assert os.environ["NAKOMING_TEST_MSSQL"] == "https://somebodys.cloud.example"
    assert os.environ["PREFECT_HOME"] == str(tmp_path)
