"""`docs/reference/benchmarks.md`, written from `build/bench.json`: `python -m bench --write-docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.figures import load, number

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks.md"
NOTES = Path(__file__).parent / "notes.md"
_HEAD = """\
# Benchmarks

Written from `build/bench.json` by `python -m bench --write-docs`, after `make bench` (`make bench ONLY=name`
measures one). Each benchmark starts servers of its own and measures its peer in the same run; its module in
`bench/` says what is measured and how. What is held against the limit is the value or, where the limit says
so, the ratio: the value over the peer's.
"""
_TITLES = ("Figure", "Value", "Unit", "Peer", "Peer's value", "Ratio", "Limit", "Kept")
_COLUMNS = f"| {' | '.join(_TITLES)} |\n|---|---:|---|---|---:|---:|---|---|\n"
_KEPT = {True: "yes", False: "**no**", None: ""}


def write(page: Path = PAGE) -> None:
    """Write the page."""
    page.write_text(as_page(load()), encoding="utf-8")


def as_page(found: list[dict[str, Any]]) -> str:
    """The page of these figures, one table for each machine and load they were measured at."""
    parts = [_HEAD]
    for machine in _machines(found):
        mine = [each for each in found if each["machine"] == machine]
        parts.append(f"## {_named(mine)}\n\n{_described(machine)}\n\n{_COLUMNS}{''.join(map(_row, mine))}")
    return "\n".join(parts) + "\n" + NOTES.read_text(encoding="utf-8")


def _machines(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The machines in the order in which they stand in the file; the load is part of one."""
    machines: list[dict[str, Any]] = []
    for each in found:
        if each["machine"] not in machines:
            machines.append(each["machine"])
    return machines


def _named(found: list[dict[str, Any]]) -> str:
    names = dict.fromkeys(each["name"].partition("/")[0] for each in found)
    return ", ".join(f"`{name}`" for name in names)


def _described(machine: dict[str, Any]) -> str:
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Python {machine['python']}; load {machine['load_at_start']} when it began."
    )


def _row(each: dict[str, Any]) -> str:
    limit = (
        "" if each["limit"] is None else f"{'ratio ' * (each['judged'] == 'ratio')}{number(each['limit'])}"
    )
    cells = (
        each["name"],
        number(each["value"]),
        each["unit"],
        each["peer"] or "",
        number(each["peer_value"]),
        number(each["ratio"]),
        limit,
        _KEPT[each["kept"]],
    )
    return f"| {' | '.join(cells)} |\n"
