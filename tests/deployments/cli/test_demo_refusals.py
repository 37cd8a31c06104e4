"""What `nakoming demo` cannot do is said in one sentence, before anything is installed or started."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
PORTS = ("PORTAL", "PREFECT", "MAILBOX", "SMTP")


def demo(home: Path, *, changed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as a person starts it; `changed` is done first, in the module of the checks."""
    program = (
        "import sys\nfrom deployments.cli import main\nfrom deployments.embedded import checks\n"
        f"{changed}\nsys.argv = ['nakoming', 'demo', '--no-wait']\nsys.exit(main())"
    )
    ports = {f"NAKOMING_{name}_PORT": str(free_port()) for name in PORTS}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **ports, "NAKOMING_HOME": str(home), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(ended: subprocess.CompletedProcess[str], home: Path) -> str:
    """The one sentence; nothing was installed for it."""
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout == ""
    assert not (home / "demo").exists()
    assert not (home / "embedded.json").exists()
    (sentence,) = ended.stderr.splitlines()
    return sentence


@pytest.mark.parametrize(
    ("name", "purpose"),
    list(
        zip(PORTS, ("the portal", "the Prefect server", "the mailbox page", "the mail server"), strict=True)
    ),
)
def test_a_port_in_use_is_named_with_its_user_and_the_way_out(
    tmp_path: Path, name: str, purpose: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = demo(tmp_path / "var", **{f"NAKOMING_{name}_PORT": str(port)})
    sentence = refused(ended, tmp_path / "var")
    assert sentence.startswith(f"Port {port}, wanted for {purpose}, is in use by process {os.getpid()} (")
    assert sentence.endswith(f"or choose another with NAKOMING_{name}_PORT=PORT. [NK7090]")


def test_a_disk_without_room_is_refused(tmp_path: Path) -> None:
    ended = demo(tmp_path / "var", changed="checks.ROOM_MB = 10**12")
    sentence = refused(ended, tmp_path / "var")
    assert sentence.startswith(f"The disk of {tmp_path / 'var'} has ")
    assert "NK7092" in sentence


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB; only root can make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk here")
    yield disk
    subprocess.run([shutil.which("umount") or "umount", str(disk)], check=True)


def test_a_small_disk_is_refused(small_disk: Path) -> None:
    sentence = refused(demo(small_disk / "var"), small_disk / "var")
    assert sentence.startswith(f"The disk of {small_disk / 'var'} has 8 MB free and the system needs")


def test_a_package_that_is_missing_is_named(tmp_path: Path) -> None:
    ended = demo(tmp_path / "var", changed="checks._PACKAGES += ('nakoming_of_tomorrow',)")
    sentence = refused(ended, tmp_path / "var")
    assert "lacks nakoming_of_tomorrow: run `make env`" in sentence


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = demo(tmp_path / "file" / "var")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Not a directory" in ended.stderr.splitlines()[-1]
