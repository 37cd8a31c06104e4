"""What the warm worker does after a child's exit, when `NAKOMING_WARM_AFTER_EXIT` names `look_again`.

A decision may land between the flow's look at its gate and the instant its run is Suspended: nobody could
resume it then. And a process that was killed leaves a case that nobody holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.waker import wake_soon
from nakoming.records import wishes
from tasks.installation import records

if TYPE_CHECKING:
    from uuid import UUID


def look_again(flow_run_id: UUID, exit_code: int) -> None:
    """Wake the case of this run, if it wants to run."""
    del exit_code
    with records().read() as tx:
        wish = wishes.of_run(tx, str(flow_run_id))
    if wish is not None and wish.wants_to_run:
        wake_soon(wish.case_id)
