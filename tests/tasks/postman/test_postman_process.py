"""The postman as its supervisor runs it: `python -m tasks.postman`, connected by a real Prefect server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nakoming.records.outbox import MailState

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.prefect_server import PrefectServer

    from .conftest import PostOffice

ROOT = Path(__file__).parents[3]
ON_SQLITE = pytest.mark.parametrize("records", ["sqlite"], indirect=True)


def start(office: PostOffice, prefect: dict[str, str]) -> subprocess.Popen[str]:
    records = office.records
    environment = os.environ | prefect | {
        "NAKOMING_HOME": str(records.keys.folder.parent),
        "NAKOMING_RECORDS_URL": records.url,
        "NAKOMING_PORTAL_URL": "https://portal.sps.example",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "tasks.postman"],
        cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def eventually(condition: Callable[[], bool], process: subprocess.Popen[str], within: float = 60.0) -> None:
    until = time.monotonic() + within
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, f"not within {within} s"
        time.sleep(0.05)


@ON_SQLITE
def test_it_delivers_until_it_is_asked_to_end(
    office: PostOffice, prefect_server: PrefectServer, prefect_api: PrefectServer
) -> None:
    assert prefect_api is prefect_server
    office.server.save("mail", overwrite=True)
    office.notices.save("notices", overwrite=True)
    office.notice("n/1", "jan@brouwer.example")
    postman = start(office, prefect_server.environment)
    eventually(lambda: office.mails()[0].state is MailState.ACCEPTED, postman)
    postman.send_signal(signal.SIGTERM)
    _, said = postman.communicate(timeout=30)
    assert postman.returncode == 0, said
    assert "Traceback" not in said
    assert "@" not in said
    assert len(office.raw("jan@brouwer.example")) == 1


@ON_SQLITE
def test_without_connections_it_says_what_to_do(
    office: PostOffice, prefect_server: PrefectServer, prefect_api: PrefectServer
) -> None:
    del prefect_api
    from blocks.mail_server import MailServer

    if "mail" in _names(prefect_server):
        MailServer.delete("mail")
    postman = start(office, prefect_server.environment)
    _, said = postman.communicate(timeout=60)
    assert postman.returncode == 1
    assert said.splitlines()[-1].startswith("NK5103 There is no block 'nakoming-mail-server/mail'")


def _names(server: PrefectServer) -> set[str]:
    import httpx

    found = httpx.post(f"{server.api_url}/block_documents/filter", json={}).json()
    return {document["name"] for document in found}


@ON_SQLITE
def test_without_prefect_it_says_what_to_do(office: PostOffice, prefect_server: PrefectServer) -> None:
    away = prefect_server.environment | {
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "PREFECT_CLIENT_MAX_RETRIES": "0",
    }
    postman = start(office, away)
    _, said = postman.communicate(timeout=60)
    assert postman.returncode == 1
    assert said.splitlines()[-1].startswith("NK4051 The postman cannot read its connections from Prefect")
