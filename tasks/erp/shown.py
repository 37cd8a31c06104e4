"""What operators see of an exchange in the Prefect UI: one artifact per customer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.context import FlowRunContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.erp.exchange import Fetched, Registrations, SentBack, SideBySide
    from tasks.erp.held_back import Page
    from tasks.erp.inbox import InboxTaken
    from tasks.process import Worked

_logger = logging.getLogger(__name__)


def publish_exchange(customer: str, outcome: str, fetched: Sequence[Fetched], sent: SentBack) -> None:
    """What was loaded, held back and refused in this run."""
    rows: list[dict[str, Any]] = [
        {"interface": each.interface, **each.counts, "trouble": each.down or each.refused or ""}
        for each in fetched
    ]
    rows.append({"interface": "to the ERP", **sent.counts, "trouble": sent.down or sent.refused or ""})
    _publish(f"erp-{_key(customer)}", rows, f"Exchange with the ERP of {customer}: {outcome}")


def publish_files(customer: str, taken: InboxTaken) -> None:
    """What became of the files of an inbox."""
    rows: list[dict[str, Any]] = [
        {"file": each.name, "became": each.became, "trouble": each.refused or ""} for each in taken.files
    ]
    if taken.down:
        rows.append({"file": "the inbox", "became": "not reached", "trouble": taken.down})
    _publish(f"erp-files-{_key(customer)}", rows, f"Files of the ERP of {customer}")


def publish_comparison(customer: str, found: Sequence[SideBySide], registered: Registrations) -> None:
    """Both sides next to each other; the keys that differ, in words that can be copied."""
    rows: list[dict[str, Any]] = [
        {
            "interface": each.interface,
            "equal": "yes" if each.equal else "NO",
            "ERP rows": each.found.get("erp_rows"),
            "of which bad": each.found.get("bad_rows"),
            "Suite rows": each.found.get("suite_rows"),
            "sums (ERP, Suite)": "; ".join(
                f"{name} {erp} / {suite}" for name, (erp, suite) in each.found.get("sums", {}).items()
            ),
            "missing in the Suite": _first(each.found.get("missing", ())),
            "different": _first(each.found.get("different", ())),
            "left over in the Suite": _first(each.found.get("left_over", ())),
            "trouble": each.down or each.refused or "",
        }
        for each in found
    ]
    if registered.read_back or registered.down:
        said = (
            f"{registered.read_back} read back, {registered.mended} of {registered.overruled} written again"
        )
        rows.append(
            {
                "interface": "hours and materials at the ERP",
                "equal": "NO" if registered.unmended else "yes",
                "different": said,
                "trouble": registered.down or _first(registered.unmended),
            }
        )
    _publish(f"erp-compared-{_key(customer)}", rows, f"ERP and Suite of {customer}, compared")


def publish_all(mode: str, done: Sequence[Worked]) -> None:
    """What became of each customer in a run for all."""
    rows: list[dict[str, Any]] = [
        {"case": each.key, "outcome": each.said, "to look at": "yes" if each.is_red else ""} for each in done
    ]
    _publish(f"erp-all-{mode}", rows, f"Exchange with {len(done)} ERPs ({mode})")


def publish_pages(customer: str, pages: Sequence[Page]) -> None:
    """Where the pages about rows that were held back are, among the customer's documents."""
    lines = [
        f"- **{each.interface}**: {each.refused or f'{each.held_back} of {each.rows} rows were held back'}\n"
        f"  - document `{each.document}`: `nakoming document get {each.document} --out page.html`"
        for each in pages
    ]
    try:
        publish_report(customer, "held-back", "\n".join(lines))
    except Exception as failed:  # noqa: BLE001 - what operators see must not stop what is done
        _logger.warning("the artifact of the pages could not be made: %s", type(failed).__name__)


def publish_report(customer: str, name: str, markdown: str) -> None:
    """A longer report."""
    if FlowRunContext.get() is not None:
        create_markdown_artifact(markdown, key=f"erp-{name}-{_key(customer)}")


def _publish(key: str, rows: list[dict[str, Any]], description: str) -> None:
    if FlowRunContext.get() is None:
        return
    try:
        create_table_artifact(rows, key=key, description=description)
    except Exception as failed:  # noqa: BLE001 - what operators see must not stop what is done
        _logger.warning("the artifact %s could not be renewed: %s", key, type(failed).__name__)


def _key(customer: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in customer.lower())


def _first(keys: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(keys[:most])
    return f"{shown}, …" if len(keys) > most else shown
