"""What README and the page about the exchange tell operators to type does what they say, in this order."""

from __future__ import annotations

import inspect
import itertools
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import typer

from deployments.cli import make_app
from flows.erp_sync import erp_sync
from tests.harness.installation import AGREEMENTS
from tests.harness.prefect_server import PrefectServer, prefect_server_in
from tests.harness.processes import free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "how-to" / "run-the-exchange.md").read_text(encoding="utf-8")
CHAPTER = README.partition("## Use it for your own customers")[2].partition("\n## ")[0]
BIN = Path(sys.executable).parent
PROGRAMS = ("nakoming ", "prefect ", "python -m ")
COMPANION = "NAKOMING_WARM_COMPANION=deployments.reconciler.beside.start"

ONCE = (
    "nakoming records upgrade",
    "nakoming agreement load",
    "prefect block register -m blocks",
    "prefect work-pool create warm --type warm",
    "prefect --no-prompt deploy --all",
)
SERVERS = {
    "python -m deployments.portal": "",
    "python -m tasks.postman": "",
    "python -m deployments.reconciler": "The reconciler makes a pass every 10 seconds",
    "prefect worker start --pool warm --type warm": "Worker",
}
# These ask about a customer, or for one; their own tests run them.
KNOWN = (
    "nakoming agreement check",
    "nakoming check",
    "nakoming rfc start",
    "nakoming case list",
    "nakoming case show KEY",
)


def named(text: str) -> set[str]:
    """The commands that a text names between backquotes."""
    spans = (" ".join(each.split()) for each in re.findall(r"`([^`]+)`", text))
    return {each for each in spans if each.startswith(PROGRAMS)}


def lines_of(page: str) -> list[str]:
    """The commands in the fences of a page."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def words(command: str) -> list[str]:
    """The command with the programs of this environment."""
    first, *rest = command.split()
    return [sys.executable if first == "python" else str(BIN / first), *rest]


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A server that knows nothing of the product yet."""
    with prefect_server_in(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, prefect: PrefectServer) -> dict[str, str]:
    """The variables of an installation in which the first half of the chapter was followed."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(AGREEMENTS, folder / "agreements")
    variables = {
        "NAKOMING_HOME": str(folder / "var"),
        "NAKOMING_AGREEMENTS": str(folder / "agreements"),
        "NAKOMING_PORTAL_PORT": str(free_port()),
        "PYTHONPATH": str(ROOT),
    }
    environment = prefect.environment | variables
    for command in ONCE:
        ended = subprocess.run(
            words(command), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, (command, ended.stdout[-2000:], ended.stderr[-2000:])
    return environment


@pytest.fixture(scope="module")
def connected(house: dict[str, str], prefect: PrefectServer) -> dict[str, str]:
    """The same, with the blocks that every installation has."""
    from blocks.mail_server import MailServer
    from blocks.mailbox import Mailbox

    folder = Path(house["NAKOMING_HOME"])
    with prefect.settings():
        MailServer(host="127.0.0.1", port=free_port(), tls="none", sender="n@acme.example").save("mail")
        Mailbox(maildir=folder / "bounces").save("notices")
    return house


def test_every_command_of_the_chapter_is_known_here() -> None:
    assert named(CHAPTER) == {*ONCE, *SERVERS, *KNOWN}
    assert COMPANION in CHAPTER


def test_the_kinds_of_block_the_chapter_names_can_be_made(house: dict[str, str]) -> None:
    said = _prefect(house, "block_types")
    kinds = {each["name"] for each in said}
    assert {"Deploy Script", "Build Command", "Test Command", "Mail server", "Mailbox"} <= kinds
    assert set(re.findall(r"^\| `([A-Z][^`]+)` \|", PAGE, re.MULTILINE)) <= kinds


def test_the_deployments_are_those_of_the_file(house: dict[str, str]) -> None:
    said = {each["name"] for each in _prefect(house, "deployments")}
    assert {"rfc-street", "erp-sync", "erp-overview", "wake-up", "reconcile"} <= said


@pytest.mark.parametrize("command", SERVERS)
def test_a_server_starts_says_so_and_ends_when_asked(
    command: str, connected: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    environment = connected | dict([COMPANION.split("=")])
    with running(
        words(command), log=log, answers=_ready(command, log, connected), env=environment
    ) as process:
        assert process.poll() is None
    said = log.read_text(encoding="utf-8")
    # The portal's server passes the signal on to itself when it has ended in good order.
    assert process.returncode in {0, -signal.SIGTERM}, said
    assert "Traceback" not in said


def test_a_reconciler_without_records_says_one_sentence(tmp_path: Path) -> None:
    ended = subprocess.run(
        words("python -m deployments.reconciler"),
        cwd=ROOT,
        env=os.environ | {"NAKOMING_HOME": str(tmp_path / "nowhere" / "var")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    (said,) = ended.stderr.splitlines()
    assert "cannot be opened" in said


@pytest.mark.parametrize("command", [*KNOWN, *(each for each in lines_of(PAGE) if each[:9] == "nakoming ")])
def test_a_command_of_the_product_takes_what_it_is_given(command: str) -> None:
    given = shlex.split(command)[1:]
    found: Any = typer.main.get_command(make_app())
    while hasattr(found, "commands"):
        found = found.commands[given.pop(0)]
    if command in KNOWN:  # named without their arguments
        return
    assert found.make_context("nakoming", given).params


@pytest.mark.parametrize("command", [each for each in lines_of(PAGE) if each.startswith("prefect ")])
def test_a_run_of_the_page_is_one_of_the_flow(command: str, house: dict[str, str]) -> None:
    given = shlex.split(command)
    assert given[:4] == ["prefect", "deployment", "run", "erp-sync/erp-sync"]
    values = dict(each.split("=") for word, each in itertools.pairwise(given) if word == "--param")
    assert values.keys() <= inspect.signature(erp_sync.fn).parameters.keys()
    erp_sync.validate_parameters(values)
    start = [*words(command.replace(" --watch", ""))]
    ended = subprocess.run(start, cwd=ROOT, env=house, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_page_shows_only_what_is_looked_at_here() -> None:
    assert all(line.startswith(PROGRAMS) for line in lines_of(PAGE))
    assert PAGE.count("\n```") // 2 == len(re.findall(r"^```(?:sh|yaml)$", PAGE, re.MULTILINE))


def _ready(command: str, log: Path, environment: dict[str, str]) -> Callable[[], bool]:
    port = environment["NAKOMING_PORTAL_PORT"]
    if "portal" in command:
        return lambda: _answers(f"http://127.0.0.1:{port}/")
    if "postman" in command:
        return lambda: _holds(environment, "postman")
    wanted = SERVERS[command]
    return lambda: wanted in log.read_text(encoding="utf-8")


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, trust_env=False).status_code < httpx.codes.INTERNAL_SERVER_ERROR
    except httpx.TransportError:
        return False


def _holds(environment: dict[str, str], resource: str) -> bool:
    """Whether somebody holds that lease: who works says so in the records."""
    from nakoming.records import resource_leases
    from nakoming.records.store import Records
    from nakoming.settings import Settings

    records = Records.from_settings(Settings(home=Path(environment["NAKOMING_HOME"])))
    try:
        with records.read() as tx:
            return resource_leases.holder(tx, resource) is not None
    finally:
        records.engine.dispose()


def _prefect(environment: dict[str, str], what: str) -> list[dict[str, Any]]:
    address = f"{environment['PREFECT_API_URL']}/{what}/filter"
    found: list[dict[str, Any]] = httpx.post(address, json={}, trust_env=False).json()
    return found
