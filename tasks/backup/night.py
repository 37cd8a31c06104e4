"""A night of backups: all customers, again and again those that failed, until all are good or it is over.

It is the case `daily_backup/vendor/<date>`; each customer's backup is a case of its own within it.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from nakoming.agreement.nights import Night
from nakoming.records import agreements, backups, cases
from nakoming.records.events import Event
from tasks import operators
from tasks.backup import ages, dispatch, forecast, missed, not_made, shown
from tasks.backup.due import KIND
from tasks.process import Process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nakoming.records.store import Records, Tx
    from tasks.backup.dispatch import Made
    from tasks.case_run import CaseRun

VERIFIED = "all are verified"
INCOMPLETE = "not all are verified"
NOBODY = "no agreement names a backup"
AGAIN_AFTER = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60))
LAST_TRY_BEFORE = timedelta(minutes=15)  # the next night opens
_MOST_NAMES = 20


def walk(case: CaseRun) -> str:
    """One night; the outcome of the case."""
    night = Night(date.fromisoformat(case.case.subject))
    case.stage("night")
    plan = case.record("night/1/planned", lambda tx: _planned(tx, case, night))
    if not plan["customers"]:
        return NOBODY
    number = 1
    while True:
        ended = _pass(case, night, plan, number)
        again_at = datetime.fromisoformat(ended["ended_at"]) + _pause(number)
        if not ended["left"] or again_at > night.next_at - LAST_TRY_BEFORE:
            break
        case.wait_until(f"pass/{number}/again", again_at, f"{len(ended['left'])} backups are tried again")
        number += 1
    if ended["left"]:
        not_made.give_up(case, ended["left"], night.on)
    case.record("night/1/ended", lambda tx: _ended(tx, case, night, ended))
    return INCOMPLETE if ended["left"] else VERIFIED


def shared(records: Records, on: date) -> str:
    """Help with a night that another worker holds, from the other end of its list; what came of it."""
    with records.read() as tx:
        case = cases.find(tx, KIND, agreements.VENDOR, str(on))
        customers = forecast.in_order(missed.backed_up(tx), backups.durations(tx, on - forecast.LOOK_BACK))
    if case is None or case.state == cases.State.CLOSED:
        return f"The night of {on} is not under way: nothing to help with."
    done = dispatch.once(records, customers[::-1], on, case.id)
    return f"{sum(each.is_closed for each in done)} of {len(done)} backups of the night of {on} are over."


def _pause(number: int) -> timedelta:
    return AGAIN_AFTER[min(number, len(AGAIN_AFTER)) - 1]


def _planned(tx: Tx, case: CaseRun, night: Night) -> dict[str, Any]:
    """Whose backups are made, in which order; what was missed before; whether there is time enough."""
    took = backups.durations(tx, night.on - forecast.LOOK_BACK)
    customers = forecast.in_order(missed.backed_up(tx), took)
    case_id = case.lease.case_id
    told = missed.tell_missed(tx, customers, night.on, case_id)
    if customers and not night.is_open(tx.now):
        late = {"night": str(night.on), "opened_at": night.start_at.isoformat()}
        tx.prove(Event.BACKUP_NIGHT_LATE, agreements.VENDOR, late, case_id=case_id, clause="S-3.1.9")
    needed = forecast.length(customers, took, dispatch.AT_ONCE)
    if night.is_open(tx.now) and tx.now + needed > night.end_at:
        values = {"night": str(night.on), "customers": str(len(customers))}
        minutes = str(round(needed.total_seconds() / 60))
        operators.tell_backups(tx, str(night.on), "backup_forecast", values | {"minutes": minutes})
    return {"customers": customers, "missed": told, "seconds": round(needed.total_seconds())}


def _pass(case: CaseRun, night: Night, plan: dict[str, Any], number: int) -> dict[str, Any]:
    """Work on all that are not over; a pass that ended before this run is not made again."""
    name = f"pass/{number}/ended"
    if name in case.finished:
        return dict(case.record(name, lambda _: None))
    done = dispatch.once(case.records, plan["customers"], night.on, case.lease.case_id)
    ended: dict[str, Any] = case.record(name, lambda tx: _summed_up(tx, night, plan, done))
    with case.records.read() as tx:
        entries, now = backups.of_night(tx, night.on), ages.ages(tx)
    shown.publish_night(night.on, done, entries)
    shown.publish_ages(now)
    return ended


def _summed_up(tx: Tx, night: Night, plan: dict[str, Any], done: Sequence[Made]) -> dict[str, Any]:
    """What is left to do, and what operators are told: once a night, not once a customer."""
    red = [each for each in done if each.is_red]
    if red or plan["missed"]:
        values = {
            "night": str(night.on),
            "count": str(len(red)),
            "customers": str(len(done)),
            "names": names([f"{each.customer}: {each.said[:80]}" for each in red]),
            "missed": names([f"{each}: {', '.join(ons)}" for each, ons in plan["missed"].items()]),
        }
        operators.tell_backups(tx, str(night.on), "backup_night", values)
    return {
        "ended_at": tx.now.isoformat(),
        "left": [each.customer for each in done if not each.is_closed],
        "red": [each.customer for each in red],
    }


def names(of: Sequence[str]) -> str:
    """The first few, in one line."""
    more = f" (+{len(of) - _MOST_NAMES})" if len(of) > _MOST_NAMES else ""
    return "; ".join(of[:_MOST_NAMES]) + more or "–"


def _ended(tx: Tx, case: CaseRun, night: Night, ended: dict[str, Any]) -> dict[str, Any]:
    """The evidence of the night (S-3.1.9): from when to when, how many, and who has none."""
    entries = [entry for entry in backups.of_night(tx, night.on) if entry.verified_at]
    instants = [at for entry in entries for at in (entry.began_at, entry.verified_at) if at]
    body = {
        "night": str(night.on),
        "verified": len({entry.customer for entry in entries}),
        "not_made": ended["left"],
        "began_at": min(instants).isoformat() if instants else None,
        "ended_at": max(instants).isoformat() if instants else None,
        "in_window": bool(instants) and all(night.start_at <= at <= night.end_at for at in instants),
    }
    tx.prove(Event.BACKUP_NIGHT_ENDED, agreements.VENDOR, body, case_id=case.lease.case_id, clause="S-3.1.9")
    return body


PROCESS = Process(kind=KIND, revision=1, walk=walk, red=frozenset({INCOMPLETE}))
