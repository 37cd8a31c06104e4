"""The demo vendor's commands, called as processes, and a place where nothing runs on after the tests."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from demo.artefacts import pack
from demo.environment_folder import EnvironmentFolder
from demo.install_log import read_log
from demo.orders import orders_for
from demo.revisions import REPOSITORY, read_revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HOUSE = Path(__file__).resolve().parents[2]

# Releases that go wrong, each in one way, as changes on top of the good one.
DAMAGED = {
    "lies": {"suite/release.py": ('built["version"]', "'9.9.9'")},
    "dies": {"suite/serve.py": ("listening = ", "sys.exit('no power'); listening = ")},
    "mistaken": {
        "suite/api.py": ('facts | {"status": "ok"}', "facts | {'status': 'ok', 'schema_revision': 9}")
    },
    "sick": {"suite/api.py": ('facts | {"status": "ok"}', "facts, status=503")},
}
FAILING_MIGRATION = """
def upgrade(connection):
    connection.exec_driver_sql("DELETE FROM registered_hours")
    raise ValueError("the disk is full")
"""
WAITING_MIGRATION = """
import os, pathlib, time
def upgrade(connection):
    connection.exec_driver_sql("DELETE FROM registered_hours")
    pathlib.Path(os.environ["SUITE_TITLE"]).touch()
    time.sleep(600)
"""


@dataclass(frozen=True)
class Place:
    """One environment in a folder of the tests, reached through the deploy script."""

    environment: EnvironmentFolder
    artefacts: dict[str, Path]

    def command(self, action: str, *more: str, revision: str | None = None) -> list[str]:
        """The deploy script's arguments."""
        where = self.environment
        arguments = [action, "--customer", where.customer, "--environment", where.name]
        arguments += ["--root", str(where.root), *more]
        return [*arguments, "--artefact", str(self.artefacts[revision])] if revision else arguments

    def deploy(
        self, action: str, *more: str, revision: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Call the deploy script, whatever comes of it."""
        command = [sys.executable, "-m", "demo.deploy", *self.command(action, *more, revision=revision)]
        return subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=False)

    def done(self, action: str, *more: str, revision: str | None = None) -> dict[str, Any]:
        """Call the deploy script, which must succeed, and return what it prints."""
        ended = self.deploy(action, *more, revision=revision)
        assert ended.returncode == 0, ended.stderr
        facts: dict[str, Any] = json.loads(ended.stdout)
        return facts

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        """Speak to the running Suite."""
        port = self.environment.read_json("service.json")["port"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request(method, path, body.encode(), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def order(self, number: str) -> dict[str, Any]:
        """One order from the running Suite."""
        status, body = self.ask("GET", f"/api/orders/{number}")
        assert status == 200, body
        order: dict[str, Any] = json.loads(body)
        return order

    def fill(self) -> str:
        """Send orders and register hours on the first; returns its number."""
        orders = orders_for("brouwer", "nl", 5)
        assert self.ask("POST", "/api/orders", json.dumps({"orders": orders}))[0] == 200
        number = str(orders[0]["number"])
        operation = self.order(number)["operations"][0]["id"]
        form = f"operation={operation}&employee=Zo%C3%AB&worked_on=2026-11-23&minutes=45"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        assert self.ask("POST", f"/orders/{number}/hours", form, **kind)[0] == 303
        return number

    def results(self) -> list[str]:
        """What the install log says happened here, in order."""
        where = (self.environment.customer, self.environment.name)
        lines = read_log(self.environment.root)
        return [line["result"] for line in lines if (line["customer"], line["environment"]) == where]


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vendor's repository with damaged changes beside the good ones."""
    copy = tmp_path_factory.mktemp("vendor") / "repository"
    shutil.copytree(REPOSITORY, copy)
    for name, edits in DAMAGED.items():
        for path, (good, bad) in edits.items():
            text = (REPOSITORY / "base" / path).read_text(encoding="utf-8")
            assert good in text
            _add_change(copy, name, path, text.replace(good, bad))
    _add_change(copy, "breaks", "suite/migrations/m0003_breaks.py", FAILING_MIGRATION)
    _add_change(copy, "waits", "suite/migrations/m0003_waits.py", WAITING_MIGRATION)
    return copy


@pytest.fixture(scope="session")
def artefacts(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The artefact of each revision, good and damaged."""
    folder = tmp_path_factory.mktemp("artefacts")
    names = ["1.0", "1.1-rc1", "1.1", *DAMAGED, "breaks", "waits"]
    return {name: pack(read_revision(name, repository), folder).path for name in names}


@pytest.fixture(scope="module")
def make_place(
    artefacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Place]]:
    """Makes environments; whatever runs in them is ended with the module."""
    root = tmp_path_factory.mktemp("root")

    def make(name: str, **settings: str) -> Place:
        environment = EnvironmentFolder(root, name, "acceptance")
        environment.write_json("settings.json", {"language": "nl", **settings})
        return Place(environment, artefacts)

    yield make
    end_services(root)


@pytest.fixture
def place(make_place: Callable[..., Place], request: pytest.FixtureRequest) -> Place:
    """An environment of this test's own, empty."""
    return make_place(f"c{abs(hash(request.node.name)) % 10**9}")


def services_under(root: Path) -> Sequence[psutil.Process]:
    """The Suites that run from a folder under `root`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "suite.serve" in words and words[-1].startswith(f"{root}/"):
            found.append(process)
    return found


def end_services(root: Path) -> None:
    """End every Suite under `root` and see that it is gone."""
    running = services_under(root)
    for process in running:
        process.kill()
    _, alive = psutil.wait_procs(running, timeout=10)
    assert not alive


def _add_change(repository: Path, name: str, path: str, text: str) -> None:
    folder = repository / "changes" / name
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text, encoding="utf-8")
    description = f'parent = "1.1"\nversion = "1.2+{name}"\nsummary = "A release that goes wrong"\n'
    (folder / "revision.toml").write_text(description, encoding="utf-8")
