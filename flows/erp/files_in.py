"""Files that the ERP puts into an inbox: taken before its database is asked, whether that answers or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.records.events import Event
from tasks.erp import shown
from tasks.erp.inbox import InboxTaken, take_files

if TYPE_CHECKING:
    from tasks.case_run import CaseRun
    from tasks.erp.exchange import Ends


def taken(case: CaseRun, ends: Ends) -> InboxTaken:
    """What was taken of the customer's inbox in this run; a comparison or a rehearsal takes nothing."""
    given = case.case.parameters
    if ends.inbox is None or given["dry_run"] or given["mode"] == "compare":
        return InboxTaken()
    found = case.do("files/1/inbox", take_files, inbox=ends.inbox, suite=ends.suite)
    if found.files:
        files = [each.model_dump() for each in found.files]
        case.prove("evidence/1/files", Event.ERP_EXCHANGED, clause="S-4.2.1", files=files)
    if found.files or found.down or found.wrong:
        shown.publish_files(case.customer, found.model_copy(update={"down": found.down or found.wrong}))
    return found
