"""Upgrades, backs up and restores the records of this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.cli import printing
from deployments.cli.errors import FileUnreadable
from nakoming.records import backup, migrate
from nakoming.records.store import Records
from tasks.installation import settings

if TYPE_CHECKING:
    from pathlib import Path


def upgraded(*, as_json: bool) -> None:
    """Bring the database to the newest schema; `RecordsTooNew` when it was made by a newer program."""
    records = Records.from_settings(settings())
    migrate.make_folder(records)
    with records.read() as tx:
        before = migrate.current(tx.connection)
    migrate.upgrade(records)
    now = migrate.known_head()
    if as_json:
        printing.emit({"before": before, "now": now})
    elif before == now:
        printing.line(f"The records are at schema {now} already.")
    else:
        printing.line(f"The records are at schema {now} now; before: {before or 'none'}.")


def backed_up(target: Path, *, with_keys: bool, as_json: bool) -> None:
    """Write a backup.

    Raises:
        BackupRefused: there is a file of that name.
        StorageFull: there is no room.
        RecordsTooNew: the records must be upgraded first.
    """
    made = backup.backup(Records.from_settings(settings()), target, with_keys=with_keys)
    rows = sum(made.rows.values())
    if as_json:
        counted = {"file": target, "rows": rows, "sha256": made.sha256, "taken_at": made.taken_at}
        printing.emit(counted | {"with_keys": made.with_keys, "heads": made.heads})
        return
    printing.line(f"{target}: {rows} rows as of {printing.moment(made.taken_at)}, SHA-256 {made.sha256}")
    for chain, (seq, leaf) in sorted(made.heads.items()):
        printing.line(f"Head {chain}:{seq}:{leaf}")


def restored(source: Path, *, as_json: bool) -> bool:
    """Restore a backup; whether its evidence is whole.

    Raises:
        FileUnreadable: there is no such file.
        BackupDamaged: a byte of it was changed or is missing.
        BackupRefused: the database is not empty, or the keys are not there.
    """
    if not source.is_file():
        raise FileUnreadable(file=source, reason="there is no such file")
    done = backup.restore(source, Records.from_settings(settings()))
    whole = not any(finding.is_damage for finding in done.findings)
    if as_json:
        counted = {"taken_at": done.manifest.taken_at, "rows": sum(done.manifest.rows.values())}
        more = {"cases_asking": done.asking, "mails_waiting": done.mails, "findings": done.findings}
        printing.emit(counted | more | {"whole": whole})
        return whole
    printing.line(f"Restored as of {printing.moment(done.manifest.taken_at)}.")
    printing.facts([("Cases that ask first", done.asking), ("Mails that go out (again)", done.mails)])
    for finding in done.findings:
        printing.line(finding.text)
    return whole
