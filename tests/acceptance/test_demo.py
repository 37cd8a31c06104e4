"""`nakoming demo` as a newcomer starts it: everything real, counted afterwards from the outside."""

from __future__ import annotations

import contextlib
import email
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from demo import environments, exchange_ends
from demo.environment_folder import EnvironmentFolder
from demo.erp import play as erp
from demo.erp.making import sown
from demo.play import exchange, script, shop_floor
from demo.play.board import STAGES
from demo.suite_service import is_running
from nakoming.agreement.local_time import ZONE
from nakoming.records import cases, evidence_check
from nakoming.records.store import Records
from nakoming.settings import Settings
from tests.harness.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

NAKOMING = Path(sys.executable).with_name("nakoming")
HEADINGS = ["Stage", "What", "Who", "When", "Evidence"]
STAYS_UP = "The system stays up until Ctrl-C."

pytestmark = pytest.mark.timeout(1200)
PATIENCE_SECONDS = 800


@dataclass(frozen=True)
class Home:
    """A home folder with ports of its own, and what a demo left in it."""

    path: Path
    environment: dict[str, str]

    @classmethod
    def in_folder(cls, folder: Path) -> Home:
        """A home that is not there yet, on free ports."""
        names = ("PORTAL", "PREFECT", "MAILBOX", "SMTP")
        ports = {f"NAKOMING_{name}_PORT": str(free_port()) for name in names}
        return cls(folder, {**os.environ, **ports, "NAKOMING_HOME": str(folder)})

    def demo(self, *words: str) -> subprocess.Popen[str]:
        """Start the demo; what it says comes on one pipe."""
        return subprocess.Popen(
            [NAKOMING, "demo", *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @contextlib.contextmanager
    def records(self) -> Iterator[Records]:
        """Its records, for the length of the block."""
        opened = Records.from_settings(Settings(home=self.path))
        try:
            yield opened
        finally:
            opened.engine.dispose()

    @property
    def figures(self) -> dict[str, Any]:
        """What the demo kept of its play."""
        figures: dict[str, Any] = json.loads((self.path / "demo.json").read_text(encoding="utf-8"))
        return figures

    @property
    def exchanged(self) -> dict[str, Any]:
        """What it kept of the exchange with the ERP."""
        kept: dict[str, Any] = json.loads((self.path / "demo-exchange.json").read_text(encoding="utf-8"))
        return kept

    @property
    def erp(self) -> str:
        """The address of the ERP."""
        return exchange_ends.erp_address(self.path / "demo")

    @property
    def mailboxes(self) -> dict[str, list[str]]:
        """The Message-IDs of the mails in each mailbox."""
        return {
            folder.name: [
                email.message_from_bytes(path.read_bytes())["Message-ID"] for path in _mails(folder)
            ]
            for folder in (self.path / "mail" / "mail").iterdir()
        }

    def installs(self, environment: str) -> int:
        """How often something was installed on an environment of the customer, the base included."""
        lines = (self.path / "demo" / "install.log").read_text(encoding="utf-8").splitlines()
        done = [json.loads(line) for line in lines]
        where = Counter(
            (each["customer"], each["environment"]) for each in done if each["result"] == "installed"
        )
        return where[script.CUSTOMER, environment]


def _mails(folder: Path) -> list[Path]:
    return [*(folder / "new").iterdir(), *(folder / "cur").iterdir()]


def assert_whole(home: Home, mails_doubled: int = 0) -> None:
    """Nothing was lost and nothing was done twice.

    A mail may be doubled when the postman dies between the mail server's 250 and its own note of it.
    """
    with home.records() as records:
        with records.read() as tx:
            case = cases.find(tx, "rfc", script.CUSTOMER, script.read_request()["reference"])
        assert case is not None
        assert (case.state, case.outcome) == ("closed", "in production")
        assert evidence_check.verify(records) == []
    doubled = sum(len(mails) - len(set(mails)) for mails in home.mailboxes.values())
    assert doubled <= mails_doubled
    assert home.installs("production") == 2  # the base when the environment was made, and this change once
    assert home.installs("acceptance") == 2  # the red revision came nowhere
    asked = Counter((row["stage"], row["what"], row["who"]) for row in home.figures["rows"])
    assert asked["functional-specification", "Ask for changes", "Joost Smit"] == 1
    assert asked["test", "Tests red: back to build", "Nakoming"] == 1
    assert asked["production", "Installed and verified", "Nakoming"] == 1
    assert_exchanged(home)


def assert_exchanged(home: Home) -> None:
    """Both sides of the exchange hold what they should, counted in the two databases."""
    mess = sown()
    assert home.exchanged["held_back"]["orders"] == mess.bad_orders
    assert home.exchanged["loaded"] == {
        "orders": mess.good_orders,
        "operations": mess.good_operations,
        "materials": mess.good_materials,
    }
    suite = exchange_ends.suite_file(home.path / "demo")
    with contextlib.closing(sqlite3.connect(f"file:{suite}?mode=ro", uri=True)) as database:
        loaded = "SELECT count(*) FROM production_orders WHERE urgency = 'normal'"
        assert database.execute(loaded).fetchone() == (mess.good_orders,)
        worked = "SELECT count(*), count(DISTINCT employee) FROM registered_hours"
        assert database.execute(worked).fetchone() == (3, 3)
        wished = "SELECT count(*) FROM production_orders WHERE description LIKE ?"
        assert database.execute(wished, (f"{shop_floor.WISH}%",)).fetchone() == (0,)
    came_in = [(hours.order_no, hours.employee) for hours in erp.hours(home.erp)]
    assert came_in == list(zip(exchange.WORKED_ON, shop_floor.WORKERS, strict=False))
    counts = erp.counts(home.erp)
    assert (counts["erp_status_in"], counts["erp_materials_in"]) == (1, 1)


@contextlib.contextmanager
def production_of(home: Home) -> Iterator[str]:
    """The customer's production, started again for the length of the block."""
    root = home.path / "demo"
    environments.start_all(root)
    try:
        yield EnvironmentFolder(root, script.CUSTOMER, "production").read_json("service.json")["url"]
    finally:
        environments.stop_all(root)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    """A home in which the demo was played to its end, and what it said."""
    home = Home.in_folder(tmp_path_factory.mktemp("demo") / "home")
    process = home.demo("--no-wait")
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    return home, said


def test_a_request_goes_from_the_form_in_prefect_to_production(played: tuple[Home, str]) -> None:
    home, said = played
    assert_whole(home)
    with production_of(home) as address:
        assert script.NEW_FIELD in httpx.get(f"{address}/", trust_env=False).text
        orders = httpx.get(f"{address}/api/orders", trust_env=False, timeout=60).json()["orders"]
    assert orders
    assert {order["urgency"] for order in orders} <= {"normal", "urgent", "critical"}
    for told in (
        "Joost Smit looks at http",
        "the evidence verifies",
        home.environment["NAKOMING_PREFECT_PORT"],
    ):
        assert told in said


@pytest.mark.long
def test_the_street_comes_to_its_end_on_prefects_own_process_worker(tmp_path: Path) -> None:
    home = Home.in_folder(tmp_path / "home")
    process = home.demo("--no-wait", "--worker", "process")
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert_whole(home)


def test_the_table_tells_each_stage_who_decided_when_and_by_which_evidence(played: tuple[Home, str]) -> None:
    home, said = played
    lines = said.splitlines()
    heading = next(at for at, line in enumerate(lines) if line.split() == HEADINGS)
    rows = home.figures["rows"]
    stages = [row["stage"] for row in rows]
    assert list(dict.fromkeys(stages)) == list(STAGES)
    table = iter(lines[heading + 1 :])
    for before, row in zip(["", *stages], rows, strict=False):
        when = datetime.fromisoformat(row["at"]).astimezone(ZONE)
        line = next(each for each in table if each.rstrip().endswith(f" {row['evidence']}"))
        assert f" {row['who']} " in line
        assert f"{when:%H:%M:%S}" in line
        assert before == row["stage"] or line.split()[0] == STAGES[row["stage"]]


def test_the_addresses_of_everything_are_told(played: tuple[Home, str]) -> None:
    home, said = played
    told = {
        name.strip(): address for name, _, address in (each.partition(": ") for each in said.splitlines())
    }
    for name, variable in (("Prefect UI", "PREFECT"), ("Portal", "PORTAL"), ("Mailboxes", "MAILBOX")):
        port = home.environment[f"NAKOMING_{variable}_PORT"]
        assert told[name].strip().rstrip("/") == f"http://127.0.0.1:{port}"


def test_the_exchange_with_the_erp_is_shown_with_its_numbers(played: tuple[Home, str]) -> None:
    home, said = played
    figures = home.exchanged
    closed = sown().closed[0]
    assert figures["written_back"] == {"hours_out": 2, "materials_out": 1, "status_out": 1}
    assert figures["dead_letters"] == [
        f"hours_out of order {closed}: Order {closed} is closed for registrations"
    ]
    assert (figures["changed"], figures["overruled"]) == (exchange.CHANGED_ORDERS, 1)
    workbook = Path(figures["workbook"])
    assert workbook == home.path / "demo" / "overview-brouwer.xlsx"
    assert hashlib.sha256(workbook.read_bytes()).hexdigest() == figures["workbook_sha256"]
    with home.records() as records, records.read() as tx:
        for mode, outcome in exchange.GOOD.items():
            case = cases.find(tx, exchange.KIND, script.CUSTOMER, f"demo-{mode}")
            assert case is not None
            assert case.outcome == outcome
            assert figures["evidence"][mode].startswith("brouwer:")
            assert figures["evidence"][mode] in said
    told = " ".join(said.split())
    assert "as many as were sown" in told
    assert "equal, row for row and in sums" in told


def test_everybody_who_decided_was_asked_by_mail(played: tuple[Home, str]) -> None:
    home, _ = played
    decided = {row["who"].lower().replace(" ", ".") for row in home.figures["rows"]} - {"nakoming"}
    assert decided == {address.partition("@")[0] for address in home.mailboxes} & decided
    assert len(decided) == 6
    of_operators = home.mailboxes[
        "operators@sps.example"
    ]  # the dead letter of the exchange, which came after
    assert len(of_operators) == 1
    assert home.figures["mails"] == sum(map(len, home.mailboxes.values())) - len(of_operators)


def test_nothing_of_it_runs_on_when_it_has_ended(played: tuple[Home, str]) -> None:
    home, _ = played
    root = home.path / "demo"
    suites = [
        EnvironmentFolder(root, folder.parent.name, folder.name) for folder in root.glob("environments/*/*")
    ]
    assert len(suites) == 6
    assert [suite for suite in suites if is_running(suite)] == []
    for name, port in home.environment.items():
        if name.startswith("NAKOMING_") and name.endswith("_PORT"):
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)


def test_a_second_start_shows_what_happened_and_stays_up_until_ctrl_c(played: tuple[Home, str]) -> None:
    home, _ = played
    mails, figures = home.mailboxes, home.figures
    exchanged, there = home.exchanged, erp.counts(home.erp)
    process = home.demo()
    said = until(process, STAYS_UP)
    try:
        assert said.count("has been played before") == 2
        shown = httpx.get(f"http://127.0.0.1:{home.environment['NAKOMING_PREFECT_PORT']}/", trust_env=False)
        assert shown.status_code == httpx.codes.OK
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert home.mailboxes == mails
    assert home.figures["rows"] == figures["rows"]
    assert (home.exchanged, erp.counts(home.erp)) == (exchanged, there)
    assert_whole(home)


@pytest.mark.long
def test_the_worker_is_killed_at_work_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    home = Home.in_folder(tmp_path / "home")
    said = demo_with_kills(home, [("— Test", "worker"), ("— Beta", "worker"), ("— Production", "worker")])
    assert_whole(home)
    assert "The case" not in said


@pytest.mark.long
def test_every_server_is_killed_once_on_the_way_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    home = Home.in_folder(tmp_path / "home")
    kills = [
        ("judges it specific", "portal"),
        ("approves the quote", "prefect"),
        ("agrees to the date", "postman"),
        ("delivers the requirement analysis", "mailbox"),
        ("version 1", "reconciler"),
    ]
    demo_with_kills(home, kills)
    assert_whole(home, mails_doubled=1)


@pytest.mark.long
def test_a_demo_that_was_killed_goes_on_when_it_is_started_again(tmp_path: Path) -> None:
    home = Home.in_folder(tmp_path / "home")
    process = home.demo()
    until(process, "asks for changes in the specification")
    process.kill()
    process.communicate(timeout=60)  # until the last process that writes to the pipe has ended
    process = home.demo("--no-wait")
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert "is under way" in said
    assert_whole(home)


def demo_with_kills(home: Home, kills: list[tuple[str, str]]) -> str:
    """Play, and kill a process with -9 each time a sentence has been said; what was said in all."""
    process = home.demo("--no-wait")
    said = ""
    for sentence, service in kills:
        said += until(process, sentence)
        os.kill(living(home, service), signal.SIGKILL)
    rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said + rest
    return said + rest


def living(home: Home, service: str) -> int:
    """The process of a service; when it is just being started again, the next one."""
    give_up = time.monotonic() + 60
    while True:
        state = json.loads((home.path / "embedded.json").read_text(encoding="utf-8"))
        pid = state["services"][service]["pid"]
        if pid is not None:
            return int(pid)
        assert time.monotonic() < give_up, state
        time.sleep(0.05)  # until it lives, or the time is up


def until(process: subprocess.Popen[str], sentence: str) -> str:
    """Read what the demo says up to a sentence."""
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if sentence in line:
            return said
    raise AssertionError(said)
