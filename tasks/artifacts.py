"""What operators see in the Prefect UI: the state of a case as a table, and all that waits."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.context import FlowRunContext

from nakoming.agreement.local_time import ZONE
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
    """Renew both artifacts. They are a view: when Prefect does not take them, the case goes on."""
    try:
        publish_case(records, case_id)
        publish_open_gates(records)
    except Exception:  # noqa: BLE001 - whatever Prefect's API raises; the records hold the truth
        _log.warning("The artifacts of a case could not be renewed; the next run renews them.")


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
    _put(artifact_key(case.key), rows, description)


def publish_open_gates(records: Records) -> None:
    """All that waits, for whom and until when; what is overdue stands first."""
    put_open_gates(open_gates(records))


def put_open_gates(waiting: Waiting) -> None:
    """Renew that artifact with these rows."""
    _put(OPEN_GATES, waiting.rows, f"What waits, for whom, until when: {waiting.total} in all.")


def open_gates(records: Records) -> Waiting:
    """What that artifact says."""
    with records.read() as tx:
        found = timeline.waiting_overview(tx)
        rows: list[dict[str, Any]] = [
            {
                "case": wait.key,
                "waits for": wait.what,
                "for whom": ", ".join(wait.for_whom),
                "until": local(wait.until) if wait.until else "–",
                "since": local(wait.since),
                "overdue": "yes" if wait.is_overdue(tx.now) else "",
            }
            for wait in found[:_MOST_ROWS]
        ]
    return Waiting(rows, len(found))


def _put(key: str, rows: list[dict[str, Any]], description: str) -> None:
    """Renew an artifact, inside a run (which it then belongs to) or outside."""
    context = FlowRunContext.get()
    run_id = context.flow_run.id if context and context.flow_run else None
    table = ArtifactCreate(
        key=key, type="table", data=json.dumps(rows), description=description, flow_run_id=run_id
    )
    with get_client(sync_client=True) as client:
        client.create_artifact(artifact=table)


def artifact_key(case_key: str) -> str:
    """The key of a case's artifact: lower-case letters, digits and dashes are all that Prefect takes."""
    return "case-" + "".join(sign if sign.isalnum() else "-" for sign in case_key.lower())


def local(at: datetime) -> str:
    """An instant in local time, with its weekday."""
    return at.astimezone(ZONE).strftime("%a %d %b %Y %H:%M")


def _for_whom(wait: timeline.Wait) -> str:
    until = f", until {local(wait.until)}" if wait.until else ""
    return f"for {', '.join(wait.for_whom) or 'an instant'}{until}"
