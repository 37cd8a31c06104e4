"""How soon after an officer's POST does the portal ask Prefect for the run?

The portal alone, served by uvicorn over SQLite records with `synchronous=FULL`; 1,000 other cases wait.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.figures import Figure, high, machine, median

if TYPE_CHECKING:
    from tests.harness.portal_server import Office

_OTHERS = 1000
_LIMIT_SECONDS = 20.0


def run(count: int = 100, *, peers: bool = True) -> list[Figure]:
    """Answer `count` questions."""
    del peers
    from tests.harness.portal_server import office, serving

    at_start = machine()
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with office(f"sqlite:///{folder / 'records.sqlite'}", folder) as at:
            for _ in range(min(_OTHERS, 10 * count)):
                at.ask(document=None)
            woken: list[float] = []
            with serving(at, wake=lambda _: woken.append(time.monotonic())) as base:
                seconds = [_answered(at, base, woken) for _ in range(count)]
    common = {"unit": "ms", "machine": at_start}
    return [
        Figure(name="portal-post/median", value=median(seconds) * 1000, **common),
        Figure(name="portal-post/95 %", value=high(seconds) * 1000, **common),
    ]


def _answered(at: Office, base: str, woken: list[float]) -> float:
    from nakoming.agreement.gate_rules import Kind
    from tests.harness.portal_server import ANNA, Visitor

    gate = at.ask(kind=Kind.APPROVAL, contacts=(ANNA,), document=None)
    visitor = Visitor(base, at.path(gate))
    before, begun = len(woken), time.monotonic()
    answer = visitor.send()
    assert answer.status_code == 200, f"the portal answered {answer.status_code}"
    while len(woken) == before:
        assert time.monotonic() < begun + _LIMIT_SECONDS, "nobody was woken"
        time.sleep(0.001)
    visitor.leave()
    return woken[before] - begun
