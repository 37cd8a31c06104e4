"""What tests of the RFC street share: a request, its way to the build, and a look at what is installed."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

from flows.rfc.planning import production_dates
from flows.rfc_street import PROCESS
from nakoming.records import clock
from tasks.questions import Desk
from tests.harness.installation import Walker

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    from nakoming.records.store import Records

CUSTOMER = "brouwer"
GIVEN = {
    "kind": "rfc",
    "reference": "2026-014",
    "title": "Spoedcode op orders",
    "requester": "joost.smit@brouwer-plaatwerk.example",
    "description": "Wij willen spoedorders herkennen.",
    "documents": [],
    "build_command": "suite",
    "test_command": "suite",
}
# Without the demo's own lead times and windows the agreement is the SLA itself.
DEMO_TERMS = """lead_times:
  beta: 0
  acceptance_last_day: 0
windows:
  production_release: {kind: any_time}
  bugfix: {kind: any_time}

sources:
  lead_times: Demonstratiebijlage bij de SLA, artikel 1
  windows: Demonstratiebijlage bij de SLA, artikel 2
"""


def street(records: Records, **given: Any) -> Walker:
    """A request of the customer, not entered yet; `given` differs from `GIVEN`."""
    parameters = GIVEN | given
    return Walker(records, PROCESS, CUSTOMER, parameters["reference"], parameters)


def let_it_be(records: Records, instant: datetime) -> None:
    """Move the clock of the records."""
    with records.write() as tx:
        clock.set_to(tx.connection, instant)


def judged(walker: Walker, *, release: str | None = None) -> None:
    """Judge a request: specific, or generic and planned for a release."""
    walker.enter()
    option = "generic" if release else "specific"
    walker.answer("judgement/choice", "choose", option=option, remark="Zo werkt deze klant.")
    walker.enter()
    if release:
        walker.deliver("judgement/release", release=release)
        walker.enter()


def agreed_until_build(walker: Walker) -> None:
    """A specific request: quoted, planned for the first date there is and described: it can be built."""
    judged(walker)
    walker.deliver("quote/delivery", amount="1250.00")
    walker.enter()
    walker.answer("quote/approval", "approve")
    walker.enter()
    walker.deliver("planning/1/proposal", planned_on=first_date(walker).isoformat())
    walker.enter()
    walker.answer("planning/1/approval", "approve")
    walker.enter()
    papers_agreed(walker)


def first_date(walker: Walker) -> date:
    """The first day on which it can go to production."""
    with walker.records.read() as tx:
        here = Desk.open(tx, walker.customer, walker.case.agreement_version)
        return next(production_dates(here)).on


def papers_agreed(walker: Walker) -> None:
    """The documents of a request for change, delivered and approved at the first time of asking."""
    for paper in ("requirement-analysis", "functional-specification"):
        walker.deliver(f"{paper}/1/delivery", paper)
        walker.enter()
        walker.answer(f"{paper}/1/approval", "approve")
        walker.enter()


def beta_installed(walker: Walker) -> None:
    """Build the revision that is right; it stands on acceptance and waits for the customer."""
    walker.deliver("build/1/revision", revision="1.1")
    walker.enter()


def accepted_beta(walker: Walker) -> None:
    """A specific request whose beta is accepted; not entered since."""
    agreed_until_build(walker)
    beta_installed(walker)
    walker.answer("acceptance/1/approval", "approve")


def service(root: Path, environment: str, path: str) -> Any:
    """What the Suite on an environment answers."""
    folder = root / "environments" / CUSTOMER / environment
    url = json.loads((folder / "service.json").read_text())["url"]
    with urllib.request.urlopen(f"{url}{path}", timeout=5) as answer:  # noqa: S310 - loopback, from the demo
        return json.load(answer)
