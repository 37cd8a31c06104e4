"""Settles what waits in an exchange with an ERP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.cli import files, printing
from deployments.cli.case_acts import reason_of
from deployments.cli.erp_view import opened
from deployments.cli.errors import RepairMalformed, RowOrCase
from nakoming.records import cases
from tasks.erp import settling
from tasks.erp.agreed import contracts_in_force
from tasks.installation import records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.erp.settling import Desk, Replayed


def replayed(
    customer: str,
    number: int | None,
    case: str | None,
    repairs: Sequence[str],
    by: str | None,
    *,
    as_json: bool,
) -> bool:
    """Load one row again, or all of a case; whether all of them are loaded.

    Raises:
        RowOrCase: not exactly one of both is named, or a repair with a case.
        RepairMalformed: a repair is not written as column and value.
        RepairRefused: there is no such column.
        UnknownEntry: the row does not wait (any more).
        UnknownCase: there is no such case.
    """
    if (number is None) == (case is None) or (case is not None and repairs):
        raise RowOrCase
    given = dict(_repair(each) for each in repairs)
    if case is not None:
        with records().read() as tx:
            cases.by_key(tx, case)
    desk = _desk(customer, by)
    if case is not None:
        done = settling.replay_case(desk, case)
    else:
        done = [settling.replay(desk, number or 0, given)]
    _say(done, as_json=as_json)
    return all(each.is_loaded for each in done)


def _repair(text: str) -> tuple[str, str]:
    column, equals, value = text.partition("=")
    if not equals or not column.strip():
        raise RepairMalformed(text=text)
    return column.strip(), value


def _say(done: Sequence[Replayed], *, as_json: bool) -> None:
    if as_json:
        printing.emit([printing.plain(each) | {"loaded": each.is_loaded} for each in done])
        return
    for each in done:
        how = "is loaded." if each.is_loaded else f"stays: {' '.join(each.reasons['en'])}"
        printing.line(f"{each.number} ({each.interface} {each.key}) {how}")
    if not done:
        printing.line("Nothing of that case waits.")


def dropped(customer: str, number: int, reason: str, by: str | None, *, as_json: bool) -> None:
    """Let a row of quarantine go; `NoReason`, `UnknownEntry`."""
    why = reason_of("Dropping a row", reason)
    settling.drop(_desk(customer, by), number, why)
    _done({"number": number, "state": "dropped"}, f"Row {number} is dropped.", as_json=as_json)


def letter_replayed(customer: str, number: int, by: str | None, *, as_json: bool) -> None:
    """Let a dead letter be sent again; `UnknownEntry` when it is none."""
    settling.replay_letter(_desk(customer, by), number)
    said = f"Dead letter {number} goes out with the next exchange."
    _done({"number": number, "state": "taken"}, said, as_json=as_json)


def letter_dropped(customer: str, number: int, reason: str, by: str | None, *, as_json: bool) -> None:
    """Let a dead letter go; `NoReason`, `UnknownEntry`."""
    why = reason_of("Dropping a dead letter", reason)
    settling.drop_letter(_desk(customer, by), number, why)
    _done({"number": number, "state": "dropped"}, f"Dead letter {number} is dropped.", as_json=as_json)


def _done(data: dict[str, object], said: str, *, as_json: bool) -> None:
    if as_json:
        printing.emit(data)
    else:
        printing.line(said)


def _desk(customer: str, by: str | None) -> Desk:
    own = contracts_in_force(records(), customer)
    return settling.Desk(records(), opened(customer), customer, by or files.login(), own)
