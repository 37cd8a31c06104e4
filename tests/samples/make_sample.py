"""Keeps a case under way as it is written today, so that later versions are held to it.

`python -m tests.samples.make_sample` writes `rfc-street-<revision>.tar`, once per revision of the flow;
a sample that was kept is never written again. Its keys are made for it and open nothing else.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest

from flows.rfc_street import PROCESS
from nakoming.records import backup, links
from tests.harness.installation import Walker, installed
from tests.harness.street import GIVEN

FOLDER = Path(__file__).parent


def make(target: Path) -> None:
    """Walk a request until its second specification waits for the customer; keep records and keys."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        home = Path(folder)
        with installed(home, f"sqlite:///{home / 'records.sqlite'}", patch) as records:
            walker = Walker(records, PROCESS, "brouwer", GIVEN["reference"], GIVEN)
            _until_the_second_specification(walker)
            with records.read() as tx:
                (link,) = links.of_gate(tx, walker.open_gates()[0].id)
            token = links.token(records.keys, link.id, link.generation)
            backup.backup(records, target, with_keys=True)
            facts = {"token": token, "steps": walker.step_names(), "revision": PROCESS.revision}
            target.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _until_the_second_specification(walker: Walker) -> None:
    walker.enter()
    walker.answer("judgement/choice", "choose", option="specific", remark="Alleen Brouwer werkt zo.")
    walker.enter()
    walker.deliver("quote/delivery", "De offerte", amount="1250.00")
    walker.enter()
    walker.answer("quote/approval", "approve")
    walker.enter()
    walker.deliver("planning/1/proposal", planned_on="2027-01-11")
    walker.enter()
    walker.answer("planning/1/approval", "approve")
    walker.enter()
    walker.deliver("requirement-analysis/1/delivery", "Analyse")
    walker.enter()
    walker.answer("requirement-analysis/1/approval", "approve")
    walker.enter()
    walker.deliver("functional-specification/1/delivery", "Eerste specificatie")
    walker.enter()
    walker.answer("functional-specification/1/approval", "request_changes", remark="De kleur ontbreekt.")
    walker.enter()
    walker.deliver("functional-specification/2/delivery", "Tweede specificatie")
    walker.enter()


if __name__ == "__main__":
    kept = FOLDER / f"rfc-street-{PROCESS.revision}.tar"
    if kept.exists():
        sys.exit(f"{kept.name} is kept already; a new sample needs a new revision of the flow")
    make(kept)
