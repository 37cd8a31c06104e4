"""The scheduled run that shows a deadline in the Prefect UI; when it starts, it acts on what is due then."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from tasks.waking.by_hand import wake_now


@flow(name="wake-up", flow_run_name="{what} ({case})", retries=0, persist_result=False)
async def wake_up(
    case_id: Annotated[str, Field(description="Identity of the case in the records.")],
    case: Annotated[str, Field(description="The case as people write it: kind/customer/subject.")],
    what: Annotated[str, Field(description="What is due.")],
) -> str:
    """Act on what is due in a case, and wake it.

    Clauses: none of its own; it serves the deadlines of every process.
    Gates: none. Records: the wake-ups of the case. Artifacts: none.
    """
    acted = await wake_now(case_id)
    return f"{case}, {what}: {'; '.join(acted) or 'nothing was due any more'}"
