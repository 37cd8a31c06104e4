"""What operators see in the Prefect UI: the state of a case as a table, and all that waits."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.context import FlowRunContext

from nakoming.agreement.local_time import ZONE
from nakoming.errors import NakomingError
from nakoming.records import cases, timeline

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.records.store import Records

_log = logging.getLogger(__name__)
OPEN_GATES = "open-gates"
_MOST_ROWS = 500


class Waiting(NamedTuple):
    """All that waits: the rows that are shown, the most urgent first, and how many there are."""

    rows: list[dict[str, Any]]
    total: int


def publish(records: Records, case_id: str) -> None:
    """Renew what is shown of a case. It is a view: when Prefect does not take it, the case goes on.

    All that waits is shown by the reconciler: it would cost every case that begins to wait a look at all.
    """
    try:
        publish_case(records, case_id)
    except Exception as failed:  # noqa: BLE001 - whatever Prefect's API raises; the records hold the truth
        _log.warning(
            "The artifact of case %s could not be renewed, its next run renews it: %s", case_id, _why(failed)
        )


def _why(failed: Exception) -> str:
    """The kind of error, and what the server answered; texts of others may hold values of the records."""
    if isinstance(failed, NakomingError):
        return str(failed)
    if isinstance(failed, httpx.HTTPStatusError):
        return f"{type(failed).__name__}, status {failed.response.status_code}"
    return type(failed).__name__


def publish_case(records: Records, case_id: str) -> None:
    """The state of one case: every step, question and mail so far, and what it waits for."""
    with records.read() as tx:
        case = cases.get(tx, case_id)
        rows = [
            {
                "at": local(item.at),
                "what": item.kind,
                "name": item.name,
                "how": item.text,
                "evidence": item.evidence,
            }
            for item in timeline.timeline(tx, case)
        ]
        waits = timeline.waits(tx, case)
    rows.extend(
        {"at": "now", "what": "waits", "name": wait.what, "how": _for_whom(wait), "evidence": None}
        for wait in waits
    )
    description = f"{case.key}: {case.state}, stage {case.stage or '–'}"
    put_table(artifact_key(case.key), rows, description)


def put_open_gates(waiting: Waiting) -> None:
    """Renew the artifact of all that waits, for whom and until when; what is overdue stands first."""
    put_table(OPEN_GATES, waiting.rows, f"What waits, for whom, until when: {waiting.total} in all.")


def open_gates(records: Records) -> Waiting:
    """What that artifact says."""
    with records.read() as tx:
        found, total = timeline.most_urgent(tx, _MOST_ROWS)
        rows: list[dict[str, Any]] = [
            {
                "case": wait.key,
                "waits for": wait.what,
                "for whom": ", ".join(wait.for_whom),
                "until": local(wait.until) if wait.until else "–",
                "since": local(wait.since),
                "overdue": "yes" if wait.is_overdue(tx.now) else "",
            }
            for wait in found
        ]
    return Waiting(rows, total)


def put_table(key: str, rows: list[dict[str, Any]], description: str) -> None:
    """Renew an artifact, inside a run (which it then belongs to) or outside."""
    context = FlowRunContext.get()
    run_id = context.flow_run.id if context and context.flow_run else None
    table = ArtifactCreate(
        key=key, type="table", data=json.dumps(rows), description=description, flow_run_id=run_id
    )
    with get_client(sync_client=True) as client:
        # Its method also emits an event, which nobody awaits: a thread that goes on trying, with a traceback
        # for each, while the server is away.
        client.request("POST", "/artifacts/", json=table.model_dump(mode="json", exclude_unset=True))


def artifact_key(case_key: str) -> str:
    """The key of a case's artifact: lower-case letters, digits and dashes are all that Prefect takes."""
    return "case-" + "".join(sign if sign.isalnum() else "-" for sign in case_key.lower())


def local(at: datetime) -> str:
    """An instant in local time, with its weekday."""
    return at.astimezone(ZONE).strftime("%a %d %b %Y %H:%M")


def _for_whom(wait: timeline.Wait) -> str:
    until = f", until {local(wait.until)}" if wait.until else ""
    return f"for {', '.join(wait.for_whom) or 'an instant'}{until}"
