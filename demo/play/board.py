"""What a person sees while the play runs: the stages at a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from demo.play.officers import Decided
    from demo.play.watching import Look

STAGES = {
    "intake": "Intake",
    "judgement": "Judgement",
    "quote": "Quote",
    "planning": "Planning",
    "requirement-analysis": "Requirements",
    "functional-specification": "Specification",
    "build": "Build",
    "test": "Test",
    "beta": "Beta",
    "acceptance": "Acceptance",
    "production": "Production",
    "closing": "Closing",
}
"""The stages of the street by their names in the records."""

_REFRESHES_A_SECOND = 8


class Board:
    """The progress. Every line is printed once; at a terminal the stages stand below the lines."""

    def __init__(self, console: Console, stages: Mapping[str, str] = STAGES) -> None:
        self._console = console
        self._stages = stages
        self._began = time.monotonic()
        self._stage = ""
        self._passed: dict[str, str] = {}
        self._waits: tuple[str, ...] = ()
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the stages for the length of the block, where there is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, transient=True, refresh_per_second=_REFRESHES_A_SECOND) as live:
            self._live = live
            self._draw()
            try:
                yield
            finally:
                self._live = None

    def say(self, sentence: str) -> None:
        """Print a line with the seconds since the start."""
        seconds = time.monotonic() - self._began
        self._console.print(f"{seconds:6.1f} s  {escape(sentence)}", soft_wrap=True, highlight=False)

    def decided(self, decided: Decided) -> None:
        """Tell what an officer did."""
        self.say(f"{decided.who} {decided.says} ({decided.number})")
        if self._stage:
            self._passed[self._stage] = decided.who
        self._draw()

    def show(self, look: Look) -> None:
        """Tell where the case stands."""
        self.enter((look.case.stage if look.case else None) or "", look.waits)

    def enter(self, stage: str, waits: tuple[str, ...] = ()) -> None:
        """Tell which stage it is, and what is waited for there; an empty one leaves the stage as it was."""
        if stage and stage != self._stage:
            self._pass_all_before(stage)
            self._stage = stage
            if self._live is None:
                self.say(f"— {self._stages.get(stage, stage)}")
        self._waits = waits
        self._draw()

    def _pass_all_before(self, stage: str) -> None:
        """A stage may have come and gone between two looks."""
        order = list(self._stages)
        for name in order[: order.index(stage)] if stage in self._stages else ():
            self._passed.setdefault(name, "")

    def _draw(self) -> None:
        if self._live is None:
            return
        table = Table.grid(padding=(0, 2))
        for name, title in self._stages.items():
            if name == self._stage:
                waits = "; ".join(self._waits) or "at work"
                table.add_row(Spinner("dots", style="cyan"), f"[bold]{title}[/]", escape(waits))
            elif name in self._passed:
                table.add_row("[green]✓[/]", title, escape(self._passed[name]))
            else:
                table.add_row("[dim]·[/]", f"[dim]{title}[/]", "")
        self._live.update(table)
