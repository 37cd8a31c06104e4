"""Real peers for the blocks: an OpenSSH server of our own, processes that can be waited for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from blocks.ssh import SshHost

Eventually = Callable[..., None]


def pytest_configure() -> None:
    """Do not phone anybody from tests."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds; fail with its name when it does not in time."""

    def wait(condition: Callable[[], bool], within: float = 15.0) -> None:
        until = time.monotonic() + within
        while not condition():
            assert time.monotonic() < until, f"not within {within} s: {condition}"
            time.sleep(0.02)

    return wait


@pytest.fixture
def processes_with() -> Callable[[str], list[int]]:
    """Find living processes by a word of their command line or of a command they run."""

    def find(word: str) -> list[int]:
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "status"]):
            words = process.info["cmdline"] or []
            if word in words and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.info["pid"])
        return found

    return find


@dataclass
class Sshd:
    """A running OpenSSH server on a free port of the loopback."""

    port: int
    folder: Path
    host_key: str
    process: subprocess.Popen[bytes]

    def block(self, **changes: object) -> SshHost:
        """Make the block of this machine, or a damaged one."""
        settings: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "username": _me(),
            "host_key": self.host_key,
            "private_key": f"file:{self.folder / 'login'}",
        }
        return SshHost.model_validate(settings | changes)

    def cut_connections(self) -> None:
        """Kill the processes that serve connections, as a broken line would end them; the listener stays."""
        for child in psutil.Process(self.process.pid).children(recursive=False):
            for served in [*child.children(recursive=False), child]:
                if "sshd" in served.name():
                    served.kill()


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Start an OpenSSH server with a host key and a login key of its own."""
    with sshd_in(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@contextmanager
def sshd_in(folder: Path, sftp: str = "internal-sftp") -> Iterator[Sshd]:
    """Run an OpenSSH server whose files are in a folder while the block lasts."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        pytest.fail("sshd is missing: apt-get install openssh-server")
    folder.chmod(0o700)
    for name in ("host", "login", "other"):
        make_key(folder / name)
    port = _free_port()
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
        f"AuthorizedKeysFile {folder}/login.pub\n"
        f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f"Subsystem sftp {sftp}\nMaxStartups 100\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # its folder for privilege separation
    log = (folder / "log").open("wb")
    process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "config")], stderr=log)
    log.close()
    _await_port(port, process, folder / "log")
    host_key = " ".join((folder / "host.pub").read_text().split()[:2])
    yield Sshd(port=port, folder=folder, host_key=host_key, process=process)
    process.terminate()
    process.wait(10)


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key pair with OpenSSH's own tool."""
    keygen = shutil.which("ssh-keygen")
    assert keygen is not None
    subprocess.run([keygen, "-q", "-t", kind, "-N", passphrase, "-f", str(path)], check=True)
    return path


def _me() -> str:
    return psutil.Process().username()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("sshd does not listen: " + log.read_text())
