"""A comparison of both sides right after something was installed on production (S-2.6.7a).

It is a run of its own: nobody waits for it, and what it finds is told by itself.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from pydantic import BaseModel, ConfigDict

from tasks.erp.occasion import COMPARE
from tasks.erp.timetable import OF_ONE
from tasks.steps import Work, key, step

_LONGEST = 60  # of a subject, as the flow allows it
_SHORT = 8


class Started(BaseModel):
    """The run that was made; None: there is none, and `said` tells why."""

    model_config = ConfigDict(frozen=True)

    run: str | None = None
    said: str = ""


def subject_after(reference: str) -> str:
    """What the comparison after the release of this reference is called; never longer than allowed."""
    subject = f"after-{reference}"
    if len(subject) <= _LONGEST:
        return subject
    told_apart = hashlib.sha256(reference.encode()).hexdigest()[:_SHORT]
    return f"{subject[: _LONGEST - _SHORT - 1]}-{told_apart}"


@step(
    doubt=key("Prefect makes one run of a deployment for each idempotency key"), timeout=timedelta(minutes=2)
)
def start_comparison(work: Work, *, reference: str) -> Started:
    """Ask Prefect for the run; the release stands whether there is one or not."""
    if not PREFECT_API_URL.value():  # Prefect would start a server of its own
        return Started(said="no Prefect server is named")
    given = {"customer": work.customer, "mode": COMPARE, "subject": subject_after(reference)}
    try:
        with get_client(sync_client=True) as client:
            deployment = client.read_deployment_by_name(OF_ONE)
            run = client.create_flow_run_from_deployment(
                deployment.id, parameters=given, idempotency_key=work.key
            )
    except ObjectNotFound:
        return Started(said=f"there is no deployment {OF_ONE}")
    except httpx.HTTPError as failed:
        return Started(said=f"Prefect gave no run: {failed}")
    return Started(run=str(run.id))
