"""What operators see of an exchange in the Prefect UI: one artifact per customer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.context import FlowRunContext

from data_contracts.rules import rules_of
from tasks.erp import told
from tasks.erp.interfaces import interface

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tasks.erp.exchange import Fetched, Registrations, SentBack, SideBySide
    from tasks.erp.held_back import Page
    from tasks.erp.inbox import InboxTaken
    from tasks.erp.interfaces import Contracts
    from tasks.erp.overruled import Overruled
    from tasks.process import Worked

_IN_A_CELL = 20
_logger = logging.getLogger(__name__)


def publish_exchange(customer: str, outcome: str, fetched: Sequence[Fetched], sent: SentBack) -> None:
    """What was loaded, held back and refused in this run."""
    rows: list[dict[str, Any]] = [
        {"interface": each.interface, **each.counts, "trouble": each.down or each.refused or ""}
        for each in fetched
    ]
    guarantee = told.guarantee(sent.counts)
    rows.append(
        {
            "interface": "to the ERP",
            **sent.counts,
            "guarantee": guarantee,
            "trouble": sent.down or sent.refused or "",
        }
    )
    said = f"Exchange with the ERP of {customer}: {outcome}"
    _publish(f"erp-{_key(customer)}", rows, f"{said}. Written {guarantee}." if guarantee else said)


def publish_overruled(customer: str, found: Overruled) -> None:
    """Who won where both sides had changed the same, in this run."""
    rows: list[dict[str, Any]] = [
        {
            "interface": each.interface,
            "key": each.key,
            "winner": {"erp": "the ERP", "suite": "the Suite"}[each.winner],
            "lost → won": each.words,
        }
        for each in found.newest
    ]
    if found.more:
        rows.append({"interface": f"and {found.more} more"})
    _publish(f"erp-overruled-{_key(customer)}", rows, f"Overruled in the exchange with {customer}")


def publish_files(customer: str, taken: InboxTaken) -> None:
    """What became of the files of an inbox."""
    rows: list[dict[str, Any]] = [
        {
            "file": each.name,
            "became": each.became,
            "older rows left alone": each.outdated,
            "trouble": each.refused or "",
        }
        for each in taken.files
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
            "months that differ": told.months(each.found),
            "missing in the Suite": told.keys_of(each.found, "missing", _IN_A_CELL),
            "different": told.keys_of(each.found, "different", _IN_A_CELL),
            "left over in the Suite": told.keys_of(each.found, "left_over", _IN_A_CELL),
            "trouble": each.down or each.refused or "",
        }
        for each in found
    ]
    if registered.read_back or registered.down:
        said = (
            f"{registered.read_back} read back, {registered.mended} of {registered.overruled} written again"
        )
        if registered.not_read:
            said += f"; {registered.not_read} older ones were not read back"
        rows.append(
            {
                "interface": "hours and materials at the ERP",
                "equal": "NO" if registered.unmended else "yes",
                "different": said,
                "trouble": registered.down or told.first(registered.unmended, most=_IN_A_CELL),
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


def publish_clean(customer: str, counts: Mapping[str, Mapping[str, int]], own: Contracts) -> None:
    """The report of a run that held nothing back: which contracts its rows kept, the customer's own too."""
    lines = []
    for name, each in counts.items():
        contract, rows = interface(name, own).contract, each.get("staged", 0)
        rules = len(rules_of(contract))
        said = f"all {rows} rows keep its {rules} rules" if rows else "no rows came"
        lines.append(f"- **{name}** (contract {contract.version}): {said}")
    try:
        publish_report(customer, "held-back", "\n".join(["Nothing was held back.", "", *lines]))
    except Exception as failed:  # noqa: BLE001 - what operators see must not stop what is done
        _logger.warning("the artifact of the report could not be made: %s", type(failed).__name__)


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
