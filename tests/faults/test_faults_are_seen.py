"""A harness that finds nothing proves something only when it would find what is there."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults import report
from tests.faults.matrix import entries, played
from tests.faults.outside import Picture, compare
from tests.faults.street_play import STRAIGHT_TO_A_FAILURE

if TYPE_CHECKING:
    from tests.harness.prefect_server import PrefectServer

# Each entry makes every effect again: one kill shows it, after the rollback, when all can be made again.
CUT = ("production/1/rolled-back",)
WHOLE = Picture(
    switches={"acceptance": ["installed a", "installed b"], "production": ["installed a", "installed b"]},
    mails=Counter({("jan@brouwer.example", "Planning"): 1, ("jan@brouwer.example", "Herinnering 1"): 1}),
    copies=0,
    production=("1.1.0", True),
)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_ledger_that_forgets_its_effects_is_seen_to_double_them(prefect_server: PrefectServer) -> None:
    api, until = prefect_server.api_url, "build/2/revision"
    with prefect_server.settings():
        unharmed = played(api, script=STRAIGHT_TO_A_FAILURE, until=until)
        harmed = played(api, script=STRAIGHT_TO_A_FAILURE, until=until, mode="once", only=CUT, ledger=False)
    assert len(unharmed.picture.switches["production"]) == 3  # the base, the change, and back
    (flow, *_) = entries("without a ledger", [harmed], unharmed, "once")
    assert flow.cut > 0
    assert flow.doubled > 0
    assert any("production: rolled back" in fault.what for fault in harmed.damage(unharmed).doubled)
    assert flow.never_cut  # most boundaries were left alone here, and that is not passed over


def test_a_mail_too_few_is_lost_and_one_too_many_is_doubled() -> None:
    mails = Counter({("jan@brouwer.example", "Planning"): 2})
    damage = compare(WHOLE, replace(WHOLE, mails=mails), windows=0)
    assert [fault.what for fault in damage.doubled] == ["mail 'Planning' to jan@brouwer.example"]
    assert [(fault.process, fault.what) for fault in damage.lost] == [
        ("reconciler", "mail 'Herinnering 1' to jan@brouwer.example")
    ]


def test_only_as_many_copies_are_forgiven_as_postmen_died_in_the_window() -> None:
    damage = compare(WHOLE, replace(WHOLE, copies=3), windows=2)
    assert damage.mail_window == 2
    assert [fault.process for fault in damage.doubled] == ["postman"]
    assert compare(WHOLE, replace(WHOLE, copies=2), windows=2).is_none


@pytest.mark.parametrize(
    ("switches", "lost", "doubled"),
    [
        (["installed a"], 1, 0),
        (["installed a", "installed b", "installed b"], 0, 1),
        (["installed b", "installed a"], 1, 0),
    ],
)
def test_a_switch_missing_repeated_or_in_another_order_is_seen(
    switches: list[str], lost: int, doubled: int
) -> None:
    found = replace(WHOLE, switches=WHOLE.switches | {"production": switches})
    damage = compare(WHOLE, found, windows=0)
    assert (len(damage.lost), len(damage.doubled)) == (lost, doubled)


def test_another_production_is_seen() -> None:
    assert len(compare(WHOLE, replace(WHOLE, production=("1.0.0", False)), windows=0).lost) == 1


def line(event: str, at: float, phase: str = "", **more: str) -> dict[str, Any]:
    named = {"kind": "step recorded", "name": "a"} | more
    return {"event": event, "at": at, "phase": phase, "process": "flow", **named}


def test_a_boundary_that_was_never_cut_is_named() -> None:
    lines = [line("passed", 1, "before", name="a"), line("passed", 2, "before", name="b")]
    planned = report.planned(lines, "flow", "both")
    cut = [line("cut", 1, phase, name="a") for phase in ("before", "after")]
    damage = compare(WHOLE, WHOLE, windows=0)
    found = report.entry("p", "flow", planned=planned, lines=[*cut, line("ended", 9)], damage=damage)
    assert found.never_cut == ["step recorded b after", "step recorded b before"]


def test_recovery_lasts_until_something_new_is_committed() -> None:
    lines = [
        line("cut", 10, "before"),
        line("passed", 11, "after", kind="lease taken"),
        line("passed", 12, "before"),
        line("passed", 13, "after"),
    ]
    assert report.recoveries(lines) == [3]
