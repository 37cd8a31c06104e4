"""A worker killed when the deploy script has ended and nobody has noted how: what the script said stands."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from blocks.deploy_script import DeployScript
from nakoming.records import clock
from tasks import installation
from tasks.artefacts import Artefact
from tasks.deployment import Target, install
from tasks.process import Process
from tests.harness.installation import Walker, installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nakoming.records.store import Records
    from tasks.case_run import CaseRun
    from tests.harness.prefect_server import PrefectServer

ROOT = Path(__file__).parents[2]
BLOCK = "verdict-production"
CONTENT = b"the artefact"
ARTEFACT = Artefact(
    revision="1.1", version="1.1", sha256=hashlib.sha256(CONTENT).hexdigest(), file="suite.tar.gz"
)
# It installs, the service is well, and then it ends as it is told to.
SCRIPT = """
import json, os, pathlib, sys
home = pathlib.Path(__file__).parent
if sys.argv[1] == "install":
    (home / "installed").write_text(sys.argv[2])
    with (home / "log").open("a") as log:
        log.write("install\\n")
sha256 = (home / "installed").read_text()
print(json.dumps({"sha256": sha256, "version": "1.1", "healthy": True, "url": os.environ["URL"]}))
sys.exit(int(os.environ["ENDS"]) if sys.argv[1] == "install" else 0)
"""


def walk(case: CaseRun) -> str:
    where = Target(block=BLOCK, customer="brouwer", environment="production")
    done = case.do("production/1/install", install, target=where, artefact=ARTEFACT)
    return "installed" if done.ok else f"failed: {done.reason}"[:40]


def walker(records: Records) -> Walker:
    process = Process(kind="rfc", revision=1, walk=walk)
    return Walker(records, process, "brouwer", "2026-014", {"title": "Spoedcode"})


def die_when_the_script_has_ended() -> None:
    """The process that is killed: the script's result is there, and nothing of it is committed."""
    change = DeployScript._change

    def changed(*arguments: Any) -> Any:
        try:
            return change(*arguments)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)

    DeployScript._change = changed  # type: ignore[method-assign]
    walker(installation.records()).enter()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    """A service that answers as the release that the script has put there."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            facts = {"version": "1.1", "sha256": (tmp_path / "installed").read_text()}
            body = json.dumps({"status": "ok"} if self.path == "/health" else facts).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("ends", "kept", "stays", "outcome"),
    [
        (3, True, True, "failed: The deploy script ended with exi"),
        (3, True, False, "failed: The deploy script ended with exi"),  # what it said stands without it
        (0, True, True, "installed"),
        (3, False, True, "installed"),  # nobody knows what it said: the environment is believed
    ],
)
def test_what_the_script_called_failed_is_not_taken_as_installed(
    tmp_path: Path,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    prefect_api: PrefectServer,
    service: str,
    ends: int,
    *,
    kept: bool,
    stays: bool,
    outcome: str,
) -> None:
    script = tmp_path / "deploy.py"
    script.write_text(SCRIPT)
    command = [
        sys.executable,
        str(script),
        "{action}",
        "{sha256}",
        "{artefact}",
        "{customer}",
        "{environment}",
    ]
    told = {"URL": service, "ENDS": str(ends)}
    DeployScript(command=command, script=script, environment_variables=told).save(BLOCK, overwrite=True)
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as records:
        ARTEFACT.path.parent.mkdir(parents=True)
        ARTEFACT.path.write_bytes(CONTENT)
        program = f"from {__name__} import die_when_the_script_has_ended as die; die()"
        env = os.environ | {"PREFECT_API_URL": prefect_api.api_url, "PYTHONPATH": str(ROOT)}
        killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, check=False)
        assert killed.returncode == -signal.SIGKILL
        (said,) = (installation.settings().home / "verdicts").iterdir()
        assert said.read_text() == f"{ends}\n"
        if not kept:
            said.unlink()
        if not stays:
            script.unlink()
        with records.write() as tx:
            clock.move(tx.connection, timedelta(hours=1))
        assert walker(records).enter() == outcome
    assert (tmp_path / "log").read_text().count("install") == 1, "it is not installed a second time"
