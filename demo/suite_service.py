"""The running Suite of one environment: started as a process of its own, found, stopped, and asked who it is.

The service inherits a locked file and holds it as long as it lives. So whether one runs is never a guess from
a process number that may have been given to another, also after a kill between its start and a note of it.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

from demo.errors import NothingInstalledError, ServiceStuckError, UnhealthyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.environment_folder import EnvironmentFolder

HOST = "127.0.0.1"
GRACE_SECONDS = 8.0
KILL_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.05
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")


class Complaint(NamedTuple):
    """What is wrong with a service, and whether waiting cannot make it right."""

    reason: str
    final: bool


def process_environment(environment: EnvironmentFolder) -> dict[str, str]:
    """What a process of the Suite finds in its environment: its settings, and none of our secrets."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    settings = {f"SUITE_{name.upper()}": value for name, value in environment.settings().items()}
    return passed | settings | {"PYTHONUTF8": "1"}


def is_running(environment: EnvironmentFolder) -> bool:
    """Whether a process of this environment lives."""
    descriptor = _service_lock(environment)
    try:
        return not _locked(descriptor)
    finally:
        os.close(descriptor)


def start(environment: EnvironmentFolder) -> None:
    """Start the current release; it stays when this process ends. Does nothing when one runs.

    Raises:
        NothingInstalledError: No release is current.
    """
    sha256 = environment.linked("current")
    if sha256 is None:
        raise NothingInstalledError(customer=environment.customer, environment=environment.name)
    descriptor = _service_lock(environment)
    try:
        if _locked(descriptor):
            _spawn(environment, sha256, descriptor)
    finally:
        os.close(descriptor)


def stop(environment: EnvironmentFolder) -> None:
    """End the service: asked first, killed after the grace.

    Raises:
        ServiceStuckError: It lives even so.
    """
    began = time.monotonic()
    while is_running(environment):
        waited = time.monotonic() - began
        if waited > GRACE_SECONDS + KILL_SECONDS:
            raise ServiceStuckError(folder=environment.folder, seconds=KILL_SECONDS)
        for process in processes(environment):
            _end(process, kill=waited > GRACE_SECONDS)
        time.sleep(LOOK_AGAIN_SECONDS)


def processes(environment: EnvironmentFolder) -> list[psutil.Process]:
    """The living service processes of this environment, by their command line."""
    mark = ["--environment", str(environment.folder)]
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if (process.info["cmdline"] or [])[-2:] == mark and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def ask(environment: EnvironmentFolder, path: str, timeout: float) -> tuple[int, dict[str, Any]]:
    """GET a JSON page of the service: status and content.

    Raises:
        OSError: It does not answer within `timeout` seconds.
        ValueError: It answers something else than an object of JSON.
    """
    connection = http.client.HTTPConnection(
        HOST, environment.read_json("service.json")["port"], timeout=timeout
    )
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        content = json.loads(answer.read())
    except http.client.HTTPException as broken:
        raise ConnectionError(str(broken)) from broken
    finally:
        connection.close()
    if not isinstance(content, dict):
        msg = f"{path} answers no JSON object"
        raise ValueError(msg)  # noqa: TRY004 - what came over the wire is a value, not an argument's type
    return answer.status, content


def verify(environment: EnvironmentFolder, timeout: float) -> None:
    """Wait until the service answers as the current release, healthy, within `timeout` seconds.

    Raises:
        UnhealthyError: It ended, stays unhealthy, or says it is another release.
    """
    sha256 = environment.linked("current")
    give_up = time.monotonic() + timeout
    while found := complaint(environment, max(give_up - time.monotonic(), LOOK_AGAIN_SECONDS)):
        # Asked again: a service that ends while it is spoken to should be named as ended.
        last = found if is_running(environment) else _ended(environment)
        if last.final or time.monotonic() > give_up:
            raise UnhealthyError(
                customer=environment.customer,
                environment=environment.name,
                sha256=sha256,
                reason=last.reason,
            )
        time.sleep(LOOK_AGAIN_SECONDS)


def complaint(environment: EnvironmentFolder, timeout: float) -> Complaint | None:
    """What speaks against the running service being the current release and well; None when nothing does."""
    sha256 = environment.linked("current")
    if sha256 is None:
        return Complaint("nothing is installed.", final=True)
    if not is_running(environment):
        return _ended(environment)
    try:
        _, version = ask(environment, "/version", timeout)
        status, health = ask(environment, "/health", timeout)
    except (OSError, ValueError, KeyError) as silent:
        return Complaint(f"no proper answer ({type(silent).__name__}: {silent}).", final=False)
    built = environment.read_json(f"releases/{sha256}/RELEASE.json") | {"sha256": sha256}
    return _difference(built, version) or _illness(built, status, health)


def _ended(environment: EnvironmentFolder) -> Complaint:
    return Complaint(f"the service is not running; see {environment.folder / 'service.log'}.", final=True)


def _difference(built: Mapping[str, Any], version: Mapping[str, Any]) -> Complaint | None:
    for name in ("sha256", "version", "revision"):
        if version.get(name) != built[name]:
            reason = f"/version says {name} {version.get(name)!r}, installed is {built[name]!r}."
            return Complaint(reason, final=True)
    return None


def _illness(built: Mapping[str, Any], status: int, health: Mapping[str, Any]) -> Complaint | None:
    if status != http.HTTPStatus.OK or health.get("status") != "ok":
        reason = f"/health answers {status}: {health.get('reason', 'no reason given')}."
        return Complaint(reason, final=False)
    schema, wanted = health.get("schema_revision"), built["schema_revision"]
    if schema != wanted:
        reason = f"/health says schema_revision {schema!r}, installed is {wanted!r}."
        return Complaint(reason, final=True)
    return None


def _spawn(environment: EnvironmentFolder, sha256: str, lock: int) -> None:
    with _listen(environment) as listening:
        port = listening.getsockname()[1]
        facts = {"port": port, "url": f"http://{HOST}:{port}", "sha256": sha256, "pid": None}
        environment.write_json("service.json", facts)
        command = [sys.executable, "-m", "suite.serve", "--socket", str(listening.fileno())]
        command += ["--environment", str(environment.folder)]
        with (environment.folder / "service.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=environment.release(sha256),
                env=process_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(listening.fileno(), lock),
            )
        environment.write_json("service.json", facts | {"pid": process.pid})


def _listen(environment: EnvironmentFolder) -> socket.socket:
    """A listening socket on the port of last time, or on a free one when another program took that."""
    last = environment.read_json("service.json").get("port", 0)
    try:
        return socket.create_server((HOST, last))
    except OSError:
        return socket.create_server((HOST, 0))


def _service_lock(environment: EnvironmentFolder) -> int:
    environment.folder.mkdir(parents=True, exist_ok=True)
    return os.open(environment.folder / "service.lock", os.O_RDWR | os.O_CREAT, 0o600)


def _locked(descriptor: int) -> bool:
    """Take the lock; False when a living service holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return
