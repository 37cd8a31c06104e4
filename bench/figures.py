"""Figures: what was measured, beside which peer, on which machine; as a table and as `build/bench.json`."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

FILE = Path(__file__).parents[1] / "build" / "bench.json"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure.

    Attributes:
        name: `benchmark/what`, or the benchmark's own name.
        value: In `unit`.
        peer: What it is compared with, measured in the same run.
        peer_value: The peer's, in `unit`.
        limit: What `value` may be at most (at least, when `unit` is a rate `…/s`); for `judged="ratio"` what
            `ratio` may be at most.
        judged: `value` or `ratio`.
    """

    name: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    limit: float | None = None
    judged: str = "value"
    machine: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """`value` over `peer_value`."""
        return self.value / self.peer_value if self.peer_value else None

    @property
    def is_kept(self) -> bool | None:
        """Whether the limit is kept; None without a limit."""
        found = self.ratio if self.judged == "ratio" else self.value
        if self.limit is None or found is None:
            return None
        return found >= self.limit if self.unit.endswith("/s") else found <= self.limit

    def as_data(self) -> dict[str, Any]:
        """As it stands in the file."""
        data = asdict(self)
        machine = data.pop("machine")
        return data | {"ratio": self.ratio, "kept": self.is_kept, "machine": machine}


def as_whole(figure: Figure) -> dict[str, Any]:
    """All of a figure, its limit too, for the process that shows it."""
    return asdict(figure)


def from_data(data: dict[str, Any]) -> Figure:
    """What `as_whole` was given."""
    return Figure(**data)


def machine() -> dict[str, Any]:
    """This machine, and how busy it is now."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def high(values: Sequence[float], share: float = 0.95) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def show(figures: Iterable[Figure], console: Console) -> None:
    """Print a table."""
    table = Table("figure", "value", "unit", "peer", "peer's", "ratio", "limit", "kept")
    for each in figures:
        kept = {None: "", True: "yes", False: "[red]no[/red]"}[each.is_kept]
        limit = "" if each.limit is None else f"{'ratio ' * (each.judged == 'ratio')}{number(each.limit)}"
        cells = (number(each.value), each.unit, each.peer or "", number(each.peer_value), number(each.ratio))
        table.add_row(each.name, *cells, limit, kept)
    console.print(table)


def number(value: float | None) -> str:
    """A figure as people read it: three digits that matter, thousands apart."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def store(figures: Sequence[Figure], path: Path = FILE) -> None:
    """Write figures to the file; those of benchmarks that did not run now stay as they were."""
    ran = {each.name.partition("/")[0] for each in figures}
    kept = [each for each in load(path) if each["name"].partition("/")[0] not in ran]
    path.parent.mkdir(exist_ok=True)
    all_of_them = kept + [each.as_data() for each in figures]
    path.write_text(json.dumps(all_of_them, indent=2) + "\n", encoding="utf-8")


def load(path: Path = FILE) -> list[dict[str, Any]]:
    """The figures in the file; none when there is no file."""
    if not path.is_file():
        return []
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found
