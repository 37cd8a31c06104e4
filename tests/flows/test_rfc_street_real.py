"""The whole street with the real demo vendor: built, tested, installed and answering."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from flows.rfc_street import PROCESS
from nakoming.records import evidence_check
from tasks.installation import records as installed_records
from tests.flows.test_rfc_street_decisions import GIVEN
from tests.harness.installation import Walker, installed
from tests.harness.vendor import running_environments, save_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.prefect_server import PrefectServer


@pytest.fixture
def vendor(tmp_path: Path, prefect_api: PrefectServer) -> Iterator[Path]:
    del prefect_api
    with running_environments(tmp_path / "demo", "brouwer") as root:
        save_blocks(root, "brouwer")
        yield root


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as found:
        yield found


def accepted_beta(walker: Walker) -> None:
    agreed_until_build(walker)
    walker.deliver("build/1/revision", revision="1.1")
    walker.enter()
    walker.answer("acceptance/1/approval", "approve")


def agreed_until_build(walker: Walker) -> None:
    walker.enter()
    walker.answer("judgement/choice", "choose", option="specific", remark="Alleen Brouwer werkt zo.")
    walker.enter()
    walker.deliver("quote/delivery", amount="1250.00")
    walker.enter()
    walker.answer("quote/approval", "approve")
    walker.enter()
    with walker.records.read() as tx:
        today = tx.now.date().isoformat()
    walker.deliver("planning/1/proposal", planned_on=today)
    walker.enter()
    walker.answer("planning/1/approval", "approve")
    walker.enter()
    for paper in ("requirement-analysis", "functional-specification"):
        walker.deliver(f"{paper}/1/delivery", paper)
        walker.enter()
        walker.answer(f"{paper}/1/approval", "approve")
        walker.enter()


def service(root: Path, environment: str, path: str) -> Any:
    folder = root / "environments" / "brouwer" / environment
    url = json.loads((folder / "service.json").read_text())["url"]
    with urllib.request.urlopen(f"{url}{path}", timeout=5) as answer:  # noqa: S310 - loopback, from the demo
        return json.load(answer)


@pytest.mark.clause("S-2.3.2d", "S-2.3.2e", "S-2.3.2f", "S-2.3.2g")
def test_a_request_goes_from_a_red_test_and_a_rejected_beta_to_production(
    vendor: Path, records: Records
) -> None:
    walker = Walker(records, PROCESS, "brouwer", GIVEN["reference"], GIVEN)
    agreed_until_build(walker)
    walker.deliver("build/1/revision", revision="1.1-rc1")
    walker.enter()
    why = dict(walker.gate("build/2/revision").question.texts["nl"]["about"])["Waarom opnieuw"]
    assert "test_an_order_from_before_is_normal_in_the_api" in why
    walker.deliver("build/2/revision", revision="1.1")
    walker.enter()
    assert service(vendor, "acceptance", "/version")["version"] == "1.1.0"
    assert service(vendor, "production", "/version")["version"] == "1.0.0"
    walker.answer("acceptance/2/approval", "request_changes", remark="De kleur klopt niet.")
    walker.enter()
    why = dict(walker.gate("build/3/revision").question.texts["nl"]["about"])["Waarom opnieuw"]
    assert "De kleur klopt niet." in why
    walker.deliver("build/3/revision", revision="1.1")
    walker.enter()
    walker.answer("acceptance/3/approval", "approve")
    walker.enter()
    assert service(vendor, "production", "/version")["version"] == "1.1.0"
    assert "urgency" in json.dumps(service(vendor, "production", "/api/orders"))
    walker.deliver("closing/delivery", "Handleiding", description="Spoedcode op orders.")
    assert walker.enter() == "in production"
    assert evidence_check.verify(installed_records()) == []
    installs = [json.loads(line) for line in (vendor / "install.log").read_text().splitlines()]
    production = [each["result"] for each in installs if each["environment"] == "production"]
    assert production.count("installed") == 2  # the base, and this change once
