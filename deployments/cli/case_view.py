"""Shows cases: in a list, and one in full."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from deployments.cli import printing
from deployments.cli.errors import NoOutputKept
from nakoming.records import agreements, answers, case_runs, cases, gates, steps, timeline
from nakoming.records.errors import KeyMissing
from nakoming.records.timeline import ItemKind
from tasks.installation import records

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.records.cases import Case
    from nakoming.records.store import Tx
    from nakoming.records.timeline import Wait


def listed(customer: str | None, *, ended: bool, as_json: bool) -> None:
    """Print cases; `UnknownAgreement` when there is no such customer."""
    with records().read() as tx:
        if customer is not None:
            agreements.newest_version(tx, customer)
        found = cases.listed(tx, customer=customer, live=not ended)
        waits: dict[str, list[Wait]] = defaultdict(list)
        for wait in timeline.waiting_overview(tx):
            waits[wait.case_id].append(wait)
        now = tx.now
    if as_json:
        printing.emit([_summary(case) | {"waits": [w.as_data() for w in waits[case.id]]} for case in found])
        return
    rows = [row for case in found for row in _rows(case, waits[case.id], now)]
    columns = ("case", "state", "stage", "waits for", "for whom", "until", "opened")
    printing.table(columns, rows, empty="There are no cases." if ended else "No case is under way.")


def _rows(case: Case, waits: list[Wait], now: datetime) -> list[tuple[Any, ...]]:
    state = f"{case.state}: {case.outcome}" if case.outcome else str(case.state)
    head = (case.key, state, case.stage)
    if not waits:
        return [(*head, None, None, None, case.opened_at)]
    return [(*head, w.what, w.for_whom, until(w, now), case.opened_at) for w in waits]


def until(wait: Wait, now: datetime) -> str | None:
    """The deadline of a wait, marked when it has passed."""
    if wait.until is None:
        return None
    return printing.moment(wait.until) + (" (overdue)" if wait.is_overdue(now) else "")


def _summary(case: Case) -> dict[str, Any]:
    names = (
        "key",
        "id",
        "kind",
        "customer",
        "subject",
        "state",
        "stage",
        "outcome",
        "opened_at",
        "closed_at",
    )
    return {name: getattr(case, name) for name in names}


def show(key: str, *, as_json: bool) -> None:
    """Print one case; `UnknownCase` when there is none of that key."""
    with records().read() as tx:
        case = cases.by_key(tx, key)
        items = timeline.timeline(tx, case)
        waits = timeline.waits(tx, case)
        runs = case_runs.of_case(tx, case.id)
        asked = _gates(tx, case)
        kept = {name: len(said.encode()) for name, said in _outputs(tx, case).items()}
        now = tx.now
    if as_json:
        more = {
            "agreement_version": case.agreement_version,
            "flow_revision": case.flow_revision,
            "parameters": case.parameters,
            "attempts": case.attempts,
            "last_error": case.last_error,
            "worked_on_by": case.lease_owner,
            "prefect_runs": runs,
            "waits": [wait.as_data() for wait in waits],
            "gates": asked,
            "output_bytes": kept,
            "timeline": [item.as_data() for item in items],
        }
        printing.emit(_summary(case) | more)
        return
    _show_head(case, runs)
    rows = [(wait.what, wait.for_whom, until(wait, now), wait.since) for wait in waits]
    printing.table(("what", "for whom", "until", "since"), rows, title="Waits for", empty="Nothing.")
    planned = [(item.at, item.name, item.text) for item in items if item.kind == ItemKind.WAKE_UP]
    printing.table(("when", "name", "what"), planned, title="Planned", empty="Nothing.")
    done = [item for item in items if item.kind != ItemKind.WAKE_UP]
    lines = [(item.at, item.kind, item.name, item.text, item.evidence) for item in done]
    printing.table(
        ("when", "kind", "name", "what", "evidence"), lines, title="What happened", empty="Nothing yet."
    )
    if kept:
        sizes = [(name, f"{size} bytes") for name, size in kept.items()]
        printing.table(("step", "size"), sizes, title="Output kept (--output STEP prints it)")


def show_output(key: str, step: str) -> None:
    """Print what the command of a step printed; `NoOutputKept` when nothing of it is kept."""
    with records().read() as tx:
        outputs = _outputs(tx, cases.by_key(tx, key))
    if step not in outputs:
        raise NoOutputKept(key=key, step=step, kept=", ".join(outputs) or "none")
    printing.line(outputs[step].rstrip("\n"))


def _outputs(tx: Tx, case: Case) -> dict[str, str]:
    """What commands printed, by step; nothing where the customer's key is gone."""
    try:
        done = steps.finished(tx, case.id, case.customer)
    except KeyMissing:
        return {}
    told = {
        name: made["output"]
        for name, (_, made) in done.items()
        if isinstance(made, dict) and "output" in made
    }
    return {name: said for name, said in told.items() if isinstance(said, str) and said}


def _show_head(case: Case, runs: list[str]) -> None:
    printing.facts(
        [
            ("Case", case.key),
            ("State", case.state),
            ("Outcome", case.outcome),
            ("Stage", case.stage),
            ("Opened", case.opened_at),
            ("Closed", case.closed_at),
            ("Agreement", f"version {case.agreement_version}"),
            ("Failed attempts", case.attempts or None),
            ("Last error", case.last_error),
            ("Worked on by", case.lease_owner),
            ("Prefect runs", tuple(runs) or None),
        ]
    )


def _gates(tx: Tx, case: Case) -> list[dict[str, Any]]:
    return [
        {
            "name": gate.name,
            "kind": gate.kind,
            "state": gate.state,
            "verb": gate.verb,
            "option": gate.option,
            "decided_by": gate.decided_by,
            "opened_at": gate.opened_at,
            "due_by": gate.due_by,
            "closed_at": gate.closed_at,
            "consumed_by": gate.consumed_by,
            "answers": answers.of_gate(tx, gate.id),
        }
        for gate in gates.of_case(tx, case.id)
    ]
