from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deployments.embedded import checks, keeper, system
from deployments.embedded.errors import (
    AlreadyRunningError,
    EmbeddedSettingError,
    FolderRefusedError,
    NoRoomError,
    NotRunningError,
    PackageMissingError,
    PortInUseError,
    SamePortError,
    ServiceNotStartedError,
)
from deployments.embedded.home import Home
from deployments.embedded.options import Options
from deployments.embedded.services import Service
from deployments.embedded.supervisor import bound
from deployments.embedded.watchman import marked
from nakoming.settings import Settings
from tests.harness.installation import AGREEMENTS
from tests.harness.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

NAKOMING = str(Path(sys.executable).parent / "nakoming")


def up(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [NAKOMING, "up"],
        env={**os.environ, "NAKOMING_HOME": str(home), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_ports() -> dict[str, str]:
    names = ("PORTAL", "PREFECT", "MAILBOX", "SMTP")
    return {f"NAKOMING_{name}_PORT": str(free_port()) for name in names}


def last_line(ended: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in ended.stderr
    return ended.stderr.splitlines()[-1]


def test_a_port_in_use_is_named_with_its_user_and_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = up(tmp_path / "var", NAKOMING_SMTP_PORT=str(port))
    assert ended.returncode == 1
    said = last_line(ended)
    assert said.startswith(f"Port {port}, wanted for the mail server, is in use by process {os.getpid()} (")
    assert said.endswith("or choose another with NAKOMING_SMTP_PORT=PORT. [NK7090]")
    assert not (tmp_path / "var" / "embedded.json").exists()


@pytest.mark.parametrize(
    ("variable", "value", "sentence", "status"),
    [
        (
            "NAKOMING_DOCUMENT_LIMIT",
            "hunter2",
            (
                "The setting NAKOMING_DOCUMENT_LIMIT cannot be used: input should be a valid integer, "
                "unable to parse string as an integer. [NK5109]"
            ),
            2,
        ),
        (
            "NAKOMING_AGREEMENTS",
            "/nowhere",
            (
                "The folder /nowhere holds no agreement: put CUSTOMER.yaml and vendor.yaml there, "
                "or name another folder with NAKOMING_AGREEMENTS=FOLDER. [NK7105]"
            ),
            1,
        ),
        ("NAKOMING_WORKER", "lambda", "NAKOMING_WORKER is 'lambda': warm or process is allowed. [NK7097]", 2),
        (
            "NAKOMING_PORTAL_PORT",
            "abc",
            "NAKOMING_PORTAL_PORT is 'abc': a port from 1 to 65535 is allowed. [NK7097]",
            2,
        ),
    ],
)
def test_a_wrong_variable_is_one_sentence_before_anything_starts(
    tmp_path: Path, variable: str, value: str, sentence: str, status: int
) -> None:
    ended = up(tmp_path / "var", **{variable: value})
    assert (last_line(ended), ended.returncode) == (sentence, status)
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (
            {"NAKOMING_RECORDS_URL": "postgresql+psycopg://x:hunter2@127.0.0.1:9/z"},
            "The records database postgresql+psycopg://x:***@127.0.0.1:9/z cannot be opened (",
        ),
        ({"NAKOMING_RECORDS_URL": "nonsense"}, "NAKOMING_RECORDS_URL names no database that can hold "),
        ({"NAKOMING_AGREEMENTS": "agreements"}, "brouwer.yaml, line 6, language: 'xx' is not one of the "),
    ],
)
def test_records_that_cannot_be_used_end_the_start_with_one_sentence(
    tmp_path: Path, variables: dict[str, str], reason: str
) -> None:
    agreements = tmp_path / "agreements"
    shutil.copytree(AGREEMENTS, agreements)
    text = (agreements / "brouwer.yaml").read_text(encoding="utf-8")
    (agreements / "brouwer.yaml").write_text(text.replace("language: nl", "language: xx"), encoding="utf-8")
    if "NAKOMING_AGREEMENTS" in variables:
        variables = {"NAKOMING_AGREEMENTS": str(agreements)}
    ended = up(tmp_path / "var", **free_ports(), **variables)
    assert ended.returncode == 1
    assert last_line(ended).startswith(f"The records did not start: {reason}")
    assert last_line(ended).endswith(f"Its log is {tmp_path / 'var' / 'logs' / 'records.log'}. [NK7096]")
    assert "hunter2" not in ended.stderr
    assert not (tmp_path / "var" / "embedded.json").exists()


def test_an_interrupt_while_it_starts_ends_all_in_good_order(tmp_path: Path) -> None:
    home = tmp_path / "var"
    environment = {**os.environ, "NAKOMING_HOME": str(home), **free_ports()}
    with subprocess.Popen([NAKOMING, "up"], env=environment, stderr=subprocess.PIPE, text=True) as starting:
        deadline = time.monotonic() + 60
        while not (home / "logs" / "prefect.log").exists():  # the first processes are there
            assert time.monotonic() < deadline
            time.sleep(0.01)
        starting.send_signal(signal.SIGINT)
        said = starting.communicate(timeout=60)[1]
    assert starting.returncode == 0
    assert said.splitlines()[-1] == "Everything has stopped."
    assert "Traceback" not in said
    assert not marked(lambda mark: mark.endswith(f":{home}"))


def test_a_port_given_twice_is_refused() -> None:
    with pytest.raises(SamePortError, match="Port 9000 is given to the portal and to the mailbox page"):
        Options.of(portal_port=9000, mailbox_port=9000)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("worker", "lambda", "NAKOMING_WORKER is 'lambda': warm or process is allowed."),
        ("smtp_port", 70000, "NAKOMING_SMTP_PORT is 70000: a port from 1 to 65535 is allowed."),
    ],
)
def test_a_wrong_option_is_refused(name: str, value: Any, sentence: str) -> None:
    with pytest.raises(EmbeddedSettingError) as refused:
        Options.of(**{name: value})
    assert str(refused.value) == sentence
    assert refused.value.exit_status == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB; mounting one is root's right, and not every container gives it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)  # noqa: S607 - beside mount


def test_a_small_disk_is_refused_before_anything_starts(small_disk: Path) -> None:
    ended = up(small_disk / "var")
    assert ended.returncode == 1
    assert last_line(ended).startswith(f"The disk of {small_disk / 'var'} has 8 MB free and the system needs")
    assert "NK7092" in last_line(ended)


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The same without a disk of our own: more is asked than any disk has.
    monkeypatch.setattr(checks, "ROOM_MB", 10**12)
    with pytest.raises(NoRoomError, match="MB free and the system needs 1000000000000 MB: free some space"):
        checks.check_folders(Home(tmp_path / "var"))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = up(tmp_path / "file" / "var")
    assert ended.returncode == 1
    assert last_line(ended) == (
        f"The folder {tmp_path / 'file' / 'var'} cannot be used (Not a directory): make it writable, "
        "or choose another with NAKOMING_HOME=FOLDER. [NK7093]"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir(mode=0o500)
    with pytest.raises(FolderRefusedError, match="Permission denied"):
        checks.check_folders(Home(tmp_path / "var"))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_PACKAGES", ("prefect", "nakoming_of_tomorrow"))
    with pytest.raises(PackageMissingError, match="lacks nakoming_of_tomorrow: run `make env`"):
        checks.check_packages()


def test_free_ports_pass() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        with pytest.raises(PortInUseError):
            checks.check_ports(Options.of(portal_port=port))


def test_who_needs_a_running_system_is_told_to_start_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert system.running(settings) is None
    with pytest.raises(NotRunningError, match="start it with `nakoming up`"):
        system.require_running(settings)


def test_a_state_file_of_a_dead_system_is_not_believed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    options = Options.of()
    system.State(pid=1, options=options.model_dump(), ready=True).write(home)
    settings = Settings(home=tmp_path)
    assert system.running(settings) is None
    with system.alone(home, settings):
        found = system.running(settings)
        assert found is not None
        assert found.prefect_api_url == f"http://127.0.0.1:{options.prefect_port}/api"
        assert found.settings.home == tmp_path
        with pytest.raises(AlreadyRunningError, match="process 1"), system.alone(home, settings):
            pass


def kept(tmp_path: Path, script: str, said: list[str], *, once: bool = False) -> keeper.Keeper:
    service = Service("it", "thing", ("sh", "-c", script), once=once)
    return keeper.Keeper(service, dict(os.environ), tmp_path / "it.log", said.append)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "BACK_OFF_SECONDS", (0.01, 0.01, 0.01, 0.01, 0.01, 0.05))
    monkeypatch.setattr(keeper, "SETTLED_SECONDS", 0.3)


@pytest.mark.usefixtures("short_pauses")
def test_what_ends_five_times_before_it_is_ready_stops_the_start(tmp_path: Path) -> None:
    one = kept(tmp_path, "echo the socket is gone; exit 7", [])
    with pytest.raises(ServiceNotStartedError) as refused:
        asyncio.run(one.keep())
    log = tmp_path / "it.log"
    assert str(refused.value) == f"The thing did not start: the socket is gone. Its log is {log}."
    assert log.read_text().count("the socket is gone") == 5


@pytest.mark.usefixtures("short_pauses")
def test_what_ends_five_times_later_is_shown_and_tried_again(tmp_path: Path) -> None:
    said: list[str] = []
    # The first life is long enough to be ready; the others end at once.
    one = kept(
        tmp_path, f"echo life; [ -e {tmp_path}/second ] && exit 3; touch {tmp_path}/second; sleep 1", said
    )

    async def watch() -> None:
        enough = asyncio.Event()
        one.changed = lambda: enough.set() if one.restarts >= 7 else None
        task = asyncio.create_task(one.keep())
        await enough.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(watch(), 20))
    assert any("ended 5 times within a minute (exit status 3)" in sentence for sentence in said)
    assert (tmp_path / "it.log").read_text().count("life") >= 7


def test_a_step_that_fails_says_its_last_line(tmp_path: Path) -> None:
    one = kept(tmp_path, "echo first; echo brouwer.yaml, line 3: wrong. >&2; exit 1", [], once=True)
    with pytest.raises(
        ServiceNotStartedError, match=r"did not start: brouwer\.yaml, line 3: wrong\. Its log"
    ):
        asyncio.run(one.keep())


def test_logs_are_bounded(tmp_path: Path) -> None:
    log = tmp_path / "it.log"
    with log.open("ab") as writer:
        writer.write(b"x" * 1000)
        writer.flush()
        bound(log, limit=999)
        assert log.stat().st_size == 0
        writer.write(b"more")
    assert log.read_bytes() == b"more"
    assert (tmp_path / "it.log.1").stat().st_size == 1000
    bound(log, limit=999)
    assert log.read_bytes() == b"more"
