"""What `nakoming check` tries, and how it says what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.cli import connection_checks, installation_checks, printing, worker_checks
from deployments.cli.attempts import Found, tried
from nakoming.errors import NakomingError
from nakoming.records import agreements
from tasks.installation import records

if TYPE_CHECKING:
    from nakoming.agreement.terms import Agreement


def checked(timeout: float, *, as_json: bool) -> bool:
    """Try everything and print a line each; whether nothing failed."""
    found = _found(timeout)
    whole = all(each.ok for each in found)
    if as_json:
        printing.emit({"ok": whole, "checks": found})
        return whole
    rows = [(each.name, "ok" if each.ok else "FAILED", each.text) for each in found]
    printing.table(("check", "result", "found"), rows)
    failed = sum(not each.ok for each in found)
    printing.line(f"\n{failed} of {len(found)} failed." if failed else f"\nAll {len(found)} are ok.")
    return whole


def _found(timeout: float) -> list[Found]:
    found = tried([*installation_checks.attempts(), connection_checks.server()], timeout)
    ok = {each.name for each in found if each.ok}
    known: list[Agreement] = []
    if installation_checks.RECORDS in ok:
        known, wrong = _agreements()
        found += [*wrong, *tried([installation_checks.calendar(each) for each in known], timeout)]
    kept = [worker_checks.workers(), *connection_checks.blocks(known)]
    if connection_checks.PREFECT in ok:
        return found + tried(kept, timeout)
    why = f"Not tried: it is kept by the {connection_checks.PREFECT}, see there."
    return found + [Found(each.name, ok=False, text=why) for each in kept]


def _agreements() -> tuple[list[Agreement], list[Found]]:
    """The agreements as loaded; those that this program can no longer read are findings."""
    known, wrong = [], []
    with records().read() as tx:
        for customer in agreements.customers(tx):
            try:
                known.append(agreements.get(tx, customer))
            except NakomingError as error:
                wrong.append(Found(f"agreement of {customer}", ok=False, text=f"{error} [{error.code}]"))
    return known, wrong
