"""Lets a case go on as soon as a command has changed something in it."""

from __future__ import annotations

from typing import Final

from deployments.cli import prefect_server
from deployments.cli.errors import PrefectUnknown
from tasks.installation import records

PATIENCE_SECONDS: Final = 5.0  # a server that answers takes a tenth of it; then the reconciler is as quick


def wake(case_id: str) -> bool:
    """Wake a case, when the Prefect server answers; else, without a word, the reconciler does it.

    Called when the person has read what was done: Prefect takes a second or two to import.
    """
    try:
        prefect_server.enter()
    except PrefectUnknown:
        return False
    from deployments.waker import wake_within

    return wake_within(records(), case_id, PATIENCE_SECONDS)
