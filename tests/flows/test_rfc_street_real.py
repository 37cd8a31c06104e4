"""The whole street with the real demo vendor: built, tested, installed and answering."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nakoming.records import evidence_check
from tasks.installation import records as installed_records
from tests.harness.street import agreed_until_build, service, street

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.records.store import Records


@pytest.mark.clause("S-2.3.2d", "S-2.3.2e", "S-2.3.2f", "S-2.3.2g")
def test_a_request_goes_from_a_red_test_and_a_rejected_beta_to_production(
    vendor: Path, records: Records
) -> None:
    walker = street(records)
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
