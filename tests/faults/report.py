"""What the kill matrix found: one entry a process, in `build/faults.json` and as a table."""

from __future__ import annotations

import fcntl
import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.faults.boundaries import AFTER, BEFORE, LEASED, NOTED, SERVER, SHARED, Boundary
from tests.faults.cutting import phases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.faults.cutting import Mode
    from tests.faults.outside import Damage

FILE = Path(__file__).parents[2] / "build" / "faults.json"
Place = tuple[str, str, str]
"""Kind, name and phase of a boundary."""

_RECOVERY: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "recovery_mean_seconds": statistics.fmean,
    "recovery_median_seconds": statistics.median,
    "recovery_max_seconds": max,
}
_MINE_AGAIN = {LEASED, SHARED}  # to hold a thing again is not yet to have gone on


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One process of one play.

    Attributes:
        play: which play it was.
        process: which process was killed.
        boundaries: how many sides of boundaries there are; of a process killed at random, none.
        cut: how often it was killed.
        never_cut: boundaries that no kill has hit.
        lost: things of its work that are missing, counted from outside.
        doubled: things of its work that are there too often.
        mail_window: mails sent again after a kill between the server's 250 and the note of it.
        recovery_mean_seconds: on average from the kill to the next progress that was committed; None where it
            was written before this was counted.
        recovery_median_seconds: from the kill to the next progress that was committed.
        recovery_max_seconds: the longest of them.
    """

    play: str
    process: str
    boundaries: int
    cut: int
    never_cut: list[str]
    lost: int
    doubled: int
    mail_window: int
    recovery_median_seconds: float | None
    recovery_max_seconds: float | None
    recovery_mean_seconds: float | None = None


def entry(
    play: str, process: str, *, planned: set[Place], lines: list[dict[str, Any]], damage: Damage
) -> Entry:
    """The entry of one process, from the journal of its play and the damage that was counted."""
    mine = [line for line in lines if line["process"] == process]
    cut = {_place(line) for line in mine if line["event"] == "cut"}
    took = recoveries(mine)
    return Entry(
        play=play,
        process=process,
        boundaries=len(planned | cut),
        cut=len(took),
        never_cut=sorted(" ".join(place) for place in planned - cut),
        lost=damage.count(damage.lost, process),
        doubled=damage.count(damage.doubled, process),
        mail_window=damage.mail_window if process == "postman" else 0,
        **recovery(took),
    )


def recovery(took: Sequence[float]) -> dict[str, float | None]:
    """The figures of an entry about recovery, from the seconds each took; none where nothing was killed."""
    if not took:
        return dict.fromkeys(_RECOVERY)
    return {name: round(of(took), 3) for name, of in _RECOVERY.items()}


def planned(lines: Iterable[dict[str, Any]], process: str, mode: Mode) -> set[Place]:
    """The sides at which the boundaries that a process passed are to be cut."""
    passed = {
        Boundary(line["kind"], line["name"])
        for line in lines
        if line["event"] == "passed" and line["process"] == process
    }
    return {(*boundary, phase) for boundary in passed for phase in phases(boundary, mode)}


def windows(lines: Iterable[dict[str, Any]]) -> int:
    """How often a postman died between the server's 250 and the note of it."""
    inside = {(SERVER, AFTER), (NOTED, BEFORE)}
    return sum(line["event"] == "cut" and (line["kind"], line["phase"]) in inside for line in lines)


def recoveries(lines: list[dict[str, Any]]) -> list[float]:
    """Seconds from each kill to the next progress of that kind of process: a commit, or a good end."""
    found = []
    for number, line in enumerate(lines):
        if line["event"] == "cut":
            later = next(each for each in lines[number + 1 :] if _is_progress(each))
            found.append(later["at"] - line["at"])
    return found


def _is_progress(line: dict[str, Any]) -> bool:
    if line["event"] in {"passed", "cut"}:  # one that is cut after a commit has committed
        return line["phase"] == AFTER and line["kind"] not in _MINE_AGAIN
    return bool(line["event"] == "ended")


def _place(line: dict[str, Any]) -> Place:
    return line["kind"], line["name"], line["phase"]


def write(entries: list[Entry]) -> None:
    """Put these entries into the file; those of other plays and processes stay."""
    FILE.parent.mkdir(exist_ok=True)
    with FILE.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another worker of the test run may write its own
        file.seek(0)
        before = json.loads(file.read() or "[]")
        new = {(each.play, each.process) for each in entries}
        kept = [each for each in before if (each["play"], each["process"]) not in new]
        file.truncate(0)
        file.write(json.dumps([*kept, *map(asdict, entries)], indent=2) + "\n")


def read() -> list[Entry]:
    """What stands in the file."""
    return [Entry(**each) for each in json.loads(FILE.read_text(encoding="utf-8"))]


def _recovered(each: Entry) -> str:
    mean, median = _seconds(each.recovery_mean_seconds), _seconds(each.recovery_median_seconds)
    return f"{mean}, {median} ({_seconds(each.recovery_max_seconds)})"


def _seconds(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.2f}"


def table(entries: list[Entry]) -> str:
    """The same for a person."""
    recovered = "recovery s: mean, median (max)"
    heads = ("play", "process", "boundaries", "cut", "lost", "doubled", "mail window", recovered)
    rows = [
        (
            each.play,
            each.process,
            str(each.boundaries),
            str(each.cut),
            str(each.lost),
            str(each.doubled),
            str(each.mail_window),
            _recovered(each),
        )
        for each in entries
    ]
    grid = [heads, *rows]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in grid]
    return "\n".join(line.rstrip() for line in lines)
