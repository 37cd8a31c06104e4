"""Plans a generic request for another release."""

from __future__ import annotations

from deployments.cli import files, printing, waking
from deployments.cli.case_acts import reason_of
from flows.rfc.release_change import change_release
from nakoming.records import cases
from tasks.installation import records


def planned(key: str, release: str, reason: str, by: str | None, *, as_json: bool) -> None:
    """Change the release and say who is told.

    Raises:
        NakomingError: it is not possible; `change_release` says when.
        NoReason: the reason is too long.
    """
    why = reason_of("A reason, where one is given,", reason) if reason else ""
    with records().write() as tx:
        changed = change_release(tx, key, release, by=by or files.login(), reason=why)
        case_id = cases.by_key(tx, key).id
    told = [contact.person for contact in changed.told]
    if as_json:
        printing.emit({"key": key, "release": release, "before": changed.before, "told": told})
    else:
        printing.line(f"{key} comes in release {release} instead of {changed.before}.")
        printing.facts([("Told by mail", tuple(contact.name for contact in changed.told))])
    waking.wake(case_id)
