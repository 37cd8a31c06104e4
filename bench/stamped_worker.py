"""The warm worker's process, which notes events, claims and forks: `python -m bench.stamped_worker WORDS`.

The words are those of the `prefect` command.
"""

from __future__ import annotations

from typing import Any

from prefect.cli import app

from bench.stamps import mark
from deployments.warm.worker import WarmWorker


def _stamp() -> None:
    take_due, claim, note = WarmWorker._take_due, WarmWorker._propose_pending_state, WarmWorker._note_start  # noqa: SLF001 - the stages lie inside

    def stamped_take(self: WarmWorker) -> None:
        mark("event")
        take_due(self)

    async def stamped_claim(self: WarmWorker, flow_run: Any) -> bool:
        mark("polled")
        answer = await claim(self, flow_run)
        mark("claimed")
        return answer

    async def stamped_note(self: WarmWorker, *arguments: Any) -> None:
        mark("forked")
        await note(self, *arguments)

    WarmWorker._take_due = stamped_take  # type: ignore[method-assign]  # noqa: SLF001
    WarmWorker._propose_pending_state = stamped_claim  # type: ignore[method-assign]  # noqa: SLF001
    WarmWorker._note_start = stamped_note  # type: ignore[method-assign]  # noqa: SLF001


if __name__ == "__main__":
    _stamp()
    app()
