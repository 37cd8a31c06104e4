"""The deploy script: what it installs really runs, answers, keeps its data, and can be taken back."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from demo.artefacts import read_artefact

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.demo.conftest import Place


def test_a_release_is_installed_changed_and_rolled_back_with_its_data(place: Place) -> None:
    first = place.done("install", revision="1.0")
    number = place.fill()
    before = place.order(number)
    assert "urgency" not in before

    second = place.done("install", revision="1.1")
    assert (second["result"], second["version"], second["schema_revision"]) == ("installed", "1.1.0", 2)
    assert (second["previous_sha256"], second["url"]) == (first["sha256"], first["url"])
    assert place.order(number) == before | {"urgency": "normal"}
    page = place.ask("GET", f"/orders/{number}")[1]
    assert "<dt>Spoedcode</dt><dd>normaal</dd>" in page
    assert "Versie 1.1.0" in page
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert place.ask("POST", f"/orders/{number}/urgency", "urgency=urgent", **kind)[0] == 303
    assert place.order(number)["urgency"] == "urgent"

    third = place.done("rollback", revision="1.1")
    assert (third["result"], third["sha256"], third["schema_revision"]) == (
        "rolled back",
        first["sha256"],
        1,
    )
    assert place.order(number) == before
    again = place.done("rollback", revision="1.1")
    assert (again["result"], again["sha256"]) == ("unchanged", first["sha256"])
    assert place.results() == ["installed", "installed", "rolled back", "unchanged"]


def test_an_older_release_can_be_installed_over_a_newer_one(place: Place) -> None:
    place.done("install", revision="1.1")
    number = place.fill()
    facts = place.done("install", revision="1.0")
    assert (facts["version"], facts["healthy"]) == ("1.0.0", True)
    assert "urgency" not in place.order(number)
    assert place.order(number)["hours"][0]["employee"] == "Zoë"
    assert place.done("rollback")["version"] == "1.1.0"


def test_installing_what_is_there_changes_nothing(place: Place) -> None:
    first = place.done("install", revision="1.0")
    again = place.done("install", revision="1.0")
    assert (again["result"], again["pids"]) == ("unchanged", first["pids"])
    psutil.Process(first["pids"][0]).kill()
    revived = place.done("install", revision="1.0")
    assert (revived["result"], revived["healthy"]) == ("unchanged", True)
    assert revived["pids"] != first["pids"]


def test_status_tells_and_changes_nothing(place: Place) -> None:
    empty = place.done("status")
    assert (empty["sha256"], empty["healthy"], empty["reason"]) == (None, False, "nothing is installed.")
    installed = place.done("install", revision="1.1")
    told = place.done("status")
    assert told == installed | {"action": "status", "result": "settled"}
    place.done("stop")
    stopped = place.done("status")
    assert (stopped["sha256"], stopped["healthy"], stopped["pids"]) == (installed["sha256"], False, [])
    started = place.done("start")
    assert (started["result"], started["healthy"], started["url"]) == ("started", True, installed["url"])


def test_a_port_that_was_taken_is_left_to_its_taker(place: Place) -> None:
    port = int(place.done("install", revision="1.0")["url"].rpartition(":")[2])
    place.done("stop")
    with socket.create_server(("127.0.0.1", port)):
        facts = place.done("start")
    assert facts["healthy"]
    assert facts["url"] != f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("lies", "/version says version '9.9.9', installed is '1.2+lies'."),
        ("mistaken", "/health says schema_revision 9, installed is 2."),
        ("dies", "the service is not running; see "),
        ("sick", "/health answers 503: no reason given."),
    ],
)
def test_a_release_that_is_not_well_is_caught_and_taken_back(place: Place, revision: str, said: str) -> None:
    good = place.done("install", revision="1.1")
    number = place.fill()
    before = place.order(number)
    ended = place.deploy("install", "--timeout", "6", revision=revision)
    wanted = read_artefact(place.artefacts[revision]).sha256
    begin = f"NK6017: {place.environment.customer} acceptance does not answer as {wanted}: {said}"
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(begin)
    status = place.done("status")
    assert (status["sha256"], status["healthy"]) == (wanted, False)
    back = place.done("rollback", revision=revision)
    assert (back["sha256"], back["healthy"]) == (good["sha256"], True)
    assert place.order(number) == before


def test_a_failed_migration_leaves_the_old_release_running(place: Place) -> None:
    good = place.done("install", revision="1.1")
    number = place.fill()
    before = place.order(number)
    ended = place.deploy("install", revision="breaks")
    assert ended.returncode == 1
    assert ended.stderr == (
        f"NK6016: The database of {place.environment.customer} acceptance was not migrated:"
        " The database cannot be migrated: the disk is full.\n"
    )
    status = place.done("status")
    assert (status["sha256"], status["healthy"], status["unfinished"]) == (good["sha256"], True, None)
    assert place.order(number) == before
    assert place.results() == ["installed"]


def test_two_at_once_install_once(place: Place) -> None:
    place.done("install", revision="1.0")
    command = [sys.executable, "-m", "demo.deploy", *place.command("install", revision="1.1")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outcomes = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert {outcome["result"] for outcome in outcomes} == {"installed", "unchanged"}
    assert all(outcome["healthy"] for outcome in outcomes)
    assert place.results() == ["installed", "installed", "unchanged"]


def test_an_environment_that_is_being_changed_is_not_touched(place: Place) -> None:
    with place.environment.lock(0):
        ended = place.deploy("install", "--patience", "0", revision="1.0")
        assert place.done("status")["result"] == "changing"
    assert ended.returncode == 1
    assert ended.stderr == (
        f"NK6012: Another deployment still works on {place.environment.customer} acceptance"
        " after 0 seconds; try again later.\n"
    )
    assert place.done("status")["sha256"] is None


def test_another_digest_than_the_one_meant_is_refused(place: Place) -> None:
    meant = read_artefact(place.artefacts["1.0"]).sha256
    actual = read_artefact(place.artefacts["1.1"]).sha256
    ended = place.deploy("install", "--sha256", meant, revision="1.1")
    assert (ended.returncode, ended.stderr) == (
        1,
        f"NK6004: {place.artefacts['1.1']} has SHA-256 {actual}, not {meant}; nothing was done.\n",
    )
    assert place.done("status")["sha256"] is None


@pytest.mark.parametrize(
    ("action", "status", "said"),
    [
        ("install", 2, "NK6011: An installation needs --artefact FILE.\n"),
        ("rollback", 1, "NK6014: {name} acceptance has no earlier release to go back to.\n"),
        ("start", 1, "NK6015: Nothing is installed on {name} acceptance.\n"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    place: Place, action: str, status: int, said: str
) -> None:
    ended = place.deploy(action)
    assert (ended.returncode, ended.stderr) == (status, said.format(name=place.environment.customer))


def test_a_name_that_leads_elsewhere_is_refused(place: Place) -> None:
    ended = place.deploy("status", "--customer", "../elsewhere")
    assert (ended.returncode, ended.stderr) == (
        2,
        "NK6010: '../elsewhere' is no customer; lower-case letters, digits and dashes are allowed.\n",
    )


def test_settings_that_are_unknown_are_refused(place: Place) -> None:
    place.environment.write_json("settings.json", {"databse_url": "sqlite:///x"})
    ended = place.deploy("install", revision="1.0")
    path = place.environment.folder / "settings.json"
    assert (ended.returncode, ended.stderr) == (
        1,
        f"NK6013: {path} cannot be used: it may hold database_url, language, title and nothing else.\n",
    )


@pytest.mark.postgres
def test_it_is_the_same_on_postgresql(make_place: Callable[..., Place], postgres_url: str) -> None:
    place = make_place("postgres", database_url=postgres_url)
    place.done("install", revision="1.0")
    number = place.fill()
    before = place.order(number)
    assert place.done("install", revision="1.1")["schema_revision"] == 2
    assert place.order(number) == before | {"urgency": "normal"}
    ended = place.deploy("install", revision="breaks")
    assert ended.returncode == 1
    assert place.order(number) == before | {"urgency": "normal"}
    assert place.done("rollback", revision="1.1")["version"] == "1.0.0"
    assert place.order(number) == before
    place.done("stop")


def test_no_secret_of_the_caller_reaches_the_service(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NAKOMING_KEY", "invented")
    monkeypatch.chdir(tmp_path.parent)
    (pid,) = place.done("install", revision="1.0")["pids"]
    service = psutil.Process(pid)
    assert "NAKOMING_KEY" not in service.environ()
    assert not [word for word in service.cmdline() if "sqlite" in word]
