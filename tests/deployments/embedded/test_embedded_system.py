from __future__ import annotations

import importlib.util
import json
import os
import signal
import smtplib
import socket
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from demo import environments
from deployments.embedded.home import HOUSE
from deployments.embedded.provision import read_deployments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from tests.deployments.embedded.conftest import Up


def _harness() -> ModuleType:
    # Test folders are no packages: the functions beside the fixtures are loaded by their place.
    path = Path(__file__).with_name("conftest.py")
    spec = importlib.util.spec_from_file_location("embedded_harness", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


harness = _harness()
NO_SUITE = "No customer's Suite is installed here yet: `make demo` installs and starts those of the demo.\n"
RUNNING = {"prefect", "mailbox", "portal", "worker", "postman", "reconciler", "watchman"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with harness.up(tmp_path_factory.mktemp("embedded")) as started:
        yield started


def api(system: Up, method: str, path: str, body: Any = None) -> Any:
    address = f"http://127.0.0.1:{system.port('PREFECT')}/api{path}"
    answer = httpx.request(method, address, json=body, timeout=30, trust_env=False)
    return answer.raise_for_status().json()


def test_everything_answers(system: Up) -> None:
    assert set(system.services()) == RUNNING
    for name in ("PREFECT", "MAILBOX"):
        answer = httpx.get(f"http://127.0.0.1:{system.port(name)}/", timeout=30, trust_env=False)
        assert answer.status_code == httpx.codes.OK, name
    portal = httpx.get(f"http://127.0.0.1:{system.port('PORTAL')}/nowhere", timeout=30, trust_env=False)
    assert portal.status_code == httpx.codes.NOT_FOUND
    assert "default-src 'none'" in portal.headers["Content-Security-Policy"]
    with smtplib.SMTP("127.0.0.1", system.port("SMTP"), timeout=30) as mail:
        assert mail.ehlo()[0] == 250
        assert mail.has_extn("dsn")


def test_its_addresses_are_printed(system: Up) -> None:
    said = system.output.read_text()
    for name in ("PREFECT", "PORTAL", "MAILBOX", "SMTP"):
        assert f"127.0.0.1:{system.port(name)}" in said


def test_the_exchange_with_each_erp_has_its_schedules_from_the_start(system: Up) -> None:
    def slugs() -> set[str]:
        deployment = api(system, "GET", "/deployments/name/erp-sync/erp-sync")
        return {each["slug"] for each in deployment["schedules"]}

    assert harness.wait_for(lambda: slugs() == {"erp-brouwer", "erp-compare-brouwer"})


def test_where_no_suite_is_installed_one_line_says_what_to_do(system: Up) -> None:
    said = system.output.read_text()
    assert said.count(NO_SUITE) == 1


def test_the_deployments_have_forms_descriptions_and_tags(system: Up) -> None:
    found = {each["name"]: each for each in api(system, "POST", "/deployments/filter", {})}
    assert set(found) == {entry["name"] for entry in read_deployments(HOUSE / "prefect.yaml")}
    street = found["rfc-street"]
    form = street["parameter_openapi_schema"]["properties"]
    assert form["reference"]["description"].startswith("The customer's reference")
    assert {"process:rfc", "clause:S-2.3.6"} <= set(street["tags"])
    assert street["description"]
    assert street["work_pool_name"] == "warm"
    assert street["enforce_parameter_schema"]


def test_both_pools_are_there_and_the_worker_is_at_work(system: Up) -> None:
    assert {pool["name"]: pool["type"] for pool in api(system, "POST", "/work_pools/filter", {})} == {
        "warm": "warm",
        "process": "process",
    }
    (worker,) = api(system, "POST", "/work_pools/warm/workers/filter", {})
    assert worker["status"] == "ONLINE"


def test_the_blocks_are_those_of_this_installation(system: Up) -> None:
    found = {
        (each["block_type"]["slug"], each["name"]): each["data"]
        for each in api(system, "POST", "/block_documents/filter", {"limit": 200})
    }
    assert found["nakoming-mail-server", "mail"]["port"] == system.port("SMTP")
    assert found["nakoming-mailbox", "notices"]["maildir"] == str(system.home.mail / "bounces")
    names = {(slug, name) for slug, name in found if slug == "deploy-script"}
    assert names == {
        ("deploy-script", f"{customer}-{where}")
        for customer in ("brouwer", "fenwick", "kestrel")
        for where in ("acceptance", "production")
    }
    assert f"--root={system.home.demo}" in found["deploy-script", "brouwer-production"]["command"]
    assert ("build-command", "suite") in found
    assert ("test-command", "suite") in found
    assert found["erp-database", "brouwer-erp"]["path"] == str(system.home.demo / "erp" / "brouwer.db")
    suite = system.home.demo / "environments" / "brouwer" / "production" / "database" / "suite.db"
    assert found["suite-database", "brouwer-suite"]["path"] == str(suite)


def test_a_run_of_a_deployment_is_carried_out(system: Up) -> None:
    deployment = api(system, "GET", "/deployments/name/reconcile/reconcile")["id"]
    run = api(system, "POST", f"/deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})

    def ended() -> Any:
        state = api(system, "GET", f"/flow_runs/{run['id']}")["state"]
        return state["type"] in {"COMPLETED", "FAILED", "CRASHED"} and state

    assert harness.wait_for(ended)["type"] == "COMPLETED"


def test_the_shells_prefect_is_left_alone_and_everything_lies_below_home(system: Up) -> None:
    assert (system.home.prefect / "prefect.db").is_file()
    for name, facts in system.services().items():
        variables = psutil.Process(facts["pid"]).environ()
        assert variables["PREFECT_API_URL"] == f"http://127.0.0.1:{system.port('PREFECT')}/api", name
        assert variables["PREFECT_HOME"] == str(system.home.prefect), name
        assert variables["TMPDIR"].startswith(str(system.home.path)), name
        assert variables["DO_NOT_TRACK"] == "1", name
    settings = api(system, "GET", "/admin/settings")
    assert settings["server"]["analytics_enabled"] is False
    assert "flow_runs" in settings["server"]["services"]["db_vacuum"]["enabled"]
    assert settings["server"]["services"]["db_vacuum"]["retention_period"] in {30 * 24 * 3600, "P30D"}


def test_the_records_hold_the_agreements(system: Up) -> None:
    with sqlite3.connect(system.home.path / "records.sqlite") as records:
        customers = {row[0] for row in records.execute("SELECT customer FROM agreements")}
    records.close()
    assert customers == {"brouwer", "fenwick", "kestrel", "vendor"}


def test_a_second_start_says_where_the_first_one_is(system: Up) -> None:
    ended = harness.run(system.home.path, "up")
    assert ended.returncode == 1
    assert f"runs already (process {system.process.pid})" in ended.stderr
    assert f"Prefect UI http://127.0.0.1:{system.port('PREFECT')}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_whatever_is_killed_comes_back(system: Up) -> None:
    before = system.services()
    for facts in before.values():
        os.kill(facts["pid"], signal.SIGKILL)

    def all_back() -> bool:
        now = system.services()
        return set(now) == RUNNING and all(
            facts["pid"] != before[name]["pid"] and facts["state"] == "ready" for name, facts in now.items()
        )

    harness.wait_for(all_back, 90)
    assert api(system, "GET", "/health") is True
    said = system.output.read_text()
    assert "The postman ended (killed by SIGKILL) and is started again." in said
    assert "The Prefect server runs again." in said


def test_nothing_outlives_a_killed_supervisor(system: Up) -> None:
    assert len(system.living()) >= len(RUNNING)
    os.kill(system.state["pid"], signal.SIGKILL)
    harness.wait_for(lambda: not system.living(), 30)
    for name in ("PREFECT", "PORTAL", "MAILBOX", "SMTP"):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", system.port(name)))
    assert json.loads(system.home.state_file.read_text())["ready"]  # nobody was there to say otherwise


def test_an_interrupt_ends_all_in_good_order_also_when_the_shell_ignored_it(
    system: Up,
) -> None:
    # The home that was left by the kill above: what is there goes on, and so does what the demo installs.
    folder = system.home.path.parent
    (suite,) = [one for one in environments.CUSTOMERS if one.key == "fenwick"]
    environments.prepare(system.home.demo, [suite])
    environments.stop_all(system.home.demo)
    with harness.up(folder, ignoring_interrupts=True) as again:
        assert NO_SUITE not in again.output.read_text()
        running = environments.status_all(again.home.demo)
        assert [(one["environment"], one["healthy"]) for one in running] == [
            ("acceptance", True),
            ("production", True),
        ]
        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(40) == 0
        assert again.living() == []
        assert not again.home.state_file.exists()
        assert again.output.read_text().rstrip().endswith("Everything has stopped.")
        assert "Traceback" not in (again.home.logs / "worker.log").read_text()
    assert not any(one["healthy"] for one in environments.status_all(system.home.demo))
