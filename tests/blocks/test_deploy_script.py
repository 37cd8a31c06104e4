"""The deploy script's block, with a real script that keeps its state in files, here and over SSH."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import ValidationError

from blocks import verdict
from blocks.command_result import CommandFailed, CommandTimedOut
from blocks.command_template import ArtefactChanged, ArtefactMissing, ReportInvalid, ValueRefused
from blocks.deploy_script import DeployScript
from blocks.health_check import HealthCheckFailed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.blocks.conftest import Sshd

SCRIPT = """
import argparse, hashlib, json, os, pathlib, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("action")
for name in ("customer", "environment", "artefact"):
    parser.add_argument("--" + name)
given = parser.parse_args()
home = pathlib.Path(__file__).parent / given.customer / given.environment
home.mkdir(parents=True, exist_ok=True)
log = home / "log"
stack = log.read_text().split() if log.exists() else []
if given.action == "install":
    stack.append(hashlib.sha256(pathlib.Path(given.artefact).read_bytes()).hexdigest())
elif given.action == "rollback":
    stack.pop()
log.write_text("\\n".join(stack))
mode = os.environ.get("MODE", "")
if mode == "hang":
    time.sleep(600)
print("password is", os.environ.get("PASSWORD"))
if mode == "red":
    sys.exit("no such database")
facts = {"sha256": stack[-1] if stack else None, "version": "1.1", "healthy": True, "more": 1}
if mode != "mute":
    print(json.dumps({} if mode == "vague" else facts))
print("a warning behind it", file=sys.stderr)
"""
Make = Callable[..., DeployScript]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    script = tmp_path / "deploy.py"
    script.write_text(SCRIPT)

    def make_block(**settings: Any) -> DeployScript:
        command = [sys.executable, str(script), "{action}", "--customer={customer}"]
        command += ["--environment={environment}", "--artefact={artefact}"]
        return DeployScript.model_validate({"command": command, "script": script} | settings)

    return make_block


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    path = tmp_path / "suite 1.1.tar.gz"
    path.write_bytes(b"artefact" * 1000)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("where", ["here", "over ssh"])
def test_install_status_and_rollback(
    where: str, make: Make, artefact: Path, sshd: Sshd, tmp_path: Path
) -> None:
    there = {} if where == "here" else {"ssh": sshd.block(), "remote_folder": str(tmp_path)}
    block = make(**there)
    done = block.install(artefact, sha256=digest(artefact), customer="acme", environment="acceptance")
    assert (done.exit_code, done.artefact_sha256) == (0, digest(artefact))
    assert done.script_sha256 == digest(tmp_path / "deploy.py")
    status = block.status("acme", "acceptance")
    assert (status.installed_sha256, status.version, status.healthy) == (digest(artefact), "1.1", True)
    assert status.raw["more"] == 1
    assert done.status == status
    assert block.rollback("acme", "acceptance").status.installed_sha256 is None
    assert block.check()[-1].endswith(f"has SHA-256 {digest(tmp_path / 'deploy.py')}.")


def test_a_changed_artefact_is_not_handed_over(make: Make, artefact: Path, tmp_path: Path) -> None:
    approved = digest(artefact)
    artefact.write_bytes(artefact.read_bytes() + b"x")
    with pytest.raises(ArtefactChanged, match=f"{approved} is expected"):
        make().install(artefact, sha256=approved, customer="acme", environment="production")
    with pytest.raises(ArtefactMissing):
        make().install(tmp_path / "none", sha256=approved, customer="acme", environment="production")
    assert not (tmp_path / "acme").exists()


def test_a_script_that_says_no(make: Make) -> None:
    with pytest.raises(CommandFailed, match=r"exit code 1.*no such database"):
        make(environment_variables={"MODE": "red"}).status("acme", "production")


@pytest.mark.parametrize("where", ["here", "over ssh"])
@pytest.mark.parametrize(("mode", "kept"), [("", 0), ("red", 1), ("hang", None)])
def test_the_verdict_of_a_script_is_kept_and_that_of_one_we_ended_is_not(
    where: str, mode: str, kept: int | None, make: Make, artefact: Path, sshd: Sshd, tmp_path: Path
) -> None:
    there = {} if where == "here" else {"ssh": sshd.block(), "remote_folder": str(tmp_path)}
    limit = timedelta(seconds=1 if mode == "hang" else 60)
    block = make(environment_variables={"MODE": mode}, timeout=limit, **there)
    given = {"sha256": digest(artefact), "customer": "acme", "environment": "acceptance"}
    with suppress(CommandFailed, CommandTimedOut):
        block.install(artefact, verdict=tmp_path / "verdict", **given)
    assert verdict.read(tmp_path / "verdict") == kept


def test_a_script_that_hangs(make: Make) -> None:
    block = make(environment_variables={"MODE": "hang"}, status_timeout=timedelta(seconds=0.5))
    with pytest.raises(CommandTimedOut):
        block.status("acme", "production")


def test_a_script_that_does_not_report(make: Make) -> None:
    with pytest.raises(ReportInvalid, match="sha256, version, healthy as its last line"):
        make(environment_variables={"MODE": "mute"}).status("acme", "production")
    with pytest.raises(ReportInvalid, match="sha256: Field required"):
        make(environment_variables={"MODE": "vague"}).status("acme", "production")


def test_a_secret_variable_arrives_and_is_not_kept(
    make: Make, artefact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_PASSWORD", "swordfish-7")
    block = make(secret_variables={"PASSWORD": "env:DEPLOY_PASSWORD"})
    done = block.install(artefact, sha256=digest(artefact), customer="acme", environment="production")
    assert "password is [removed]" in done.output


@pytest.mark.parametrize("customer", ["--help", "../acme", "a/../b", "a b", "", "a\n", "é"])
def test_a_customer_that_is_no_plain_name(make: Make, customer: str) -> None:
    with pytest.raises(ValueRefused, match="cannot be handed to a command"):
        make().status(customer, "production")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ([], "the first word is the program"),
        (["{action}"], "the first word is the program"),
        (["x", "{action}", "{customer}", "{environment}"], "{artefact} does not appear"),
        (
            ["x", "{action}", "{customer}", "{environment}", "{artefact}", "{password}"],
            "there is no {password}",
        ),
        (["x", "{action.__class__}"], "a place is written"),
        (["x", "{action!r}"], "a place is written"),
        (["x", "{"], "Single '{'"),
        (["x", "{0}"], "a place is written"),
    ],
)
def test_a_command_that_cannot_work_is_refused_when_stored(
    make: Make, command: list[str], reason: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        make(command=command)
    assert reason in str(caught.value)


class Service(BaseHTTPRequestHandler):
    """A service that says what it was told to say."""

    answers: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer."""
        self.asked.append(self.path)
        status, headers, body = self.answers[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def service() -> Iterator[str]:
    version = json.dumps({"version": "1.1", "sha256": "a" * 64}).encode()
    Service.answers = {"/health": (200, {}, b'{"status": "ok"}'), "/version": (200, {}, version)}
    Service.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def verify(make: Make, url: str, version: str = "1.1") -> str:
    block = make(health_timeout=timedelta(seconds=1.5))
    return block.verify(url, version=version, sha256="a" * 64).version


def test_an_honest_service(make: Make, service: str) -> None:
    assert verify(make, service + "/") == "1.1"
    assert Service.asked == ["/health", "/version"]


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        (
            "/version",
            (200, {}, b'{"version": "1.0", "sha256": ""}'),
            "version: 1.1 is expected, 1.0 was found",
        ),
        (
            "/version",
            (200, {}, b'{"version": "1.1", "sha256": "bbb"}'),
            "sha256: a{64} is expected, bbb was found",
        ),
        ("/version", (200, {}, b'{"version": "1.1"}'), "sha256: .* null was found"),
        ("/version", (200, {}, b"<html>"), "a JSON object is expected, <html> was found"),
        ("/health", (200, {}, b'{"status": "failing"}'), "status ok is expected"),
        ("/health", (503, {}, b'{"status": "ok"}'), "status 503"),
        ("/health", (200, {}, b"x" * 100_000), "more than 65536 bytes"),
        (
            "/health",
            (302, {"Location": "http://localhost:1/health"}, b""),
            "a redirect to http://localhost:1",
        ),
        ("/health", (302, {"Location": "/health"}, b""), "redirect after redirect"),
    ],
)
def test_a_lying_service(
    make: Make, service: str, path: str, answer: tuple[int, dict[str, str], bytes], message: str
) -> None:
    Service.answers[path] = answer
    with pytest.raises(HealthCheckFailed, match=message):
        verify(make, service)


def test_a_redirect_on_the_same_host_is_followed(make: Make, service: str) -> None:
    Service.answers["/health/"] = Service.answers["/health"]
    Service.answers["/health"] = (307, {"Location": "/health/"}, b"")
    assert verify(make, service) == "1.1"


def test_a_service_that_needs_a_moment(make: Make, service: str) -> None:
    good = Service.answers["/health"]
    Service.answers["/health"] = (503, {}, b"{}")
    block = make(health_timeout=timedelta(seconds=10))
    threading.Timer(0.3, lambda: Service.answers.update({"/health": good})).start()
    assert block.verify(service, version="1.1", sha256="a" * 64).version == "1.1"
    assert Service.asked.count("/health") > 1


def test_nobody_answers(make: Make) -> None:
    with pytest.raises(HealthCheckFailed, match="status 200 is expected"):
        verify(make, "http://127.0.0.1:1")
