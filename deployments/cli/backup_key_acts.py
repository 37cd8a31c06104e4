"""The keys of backups: shown, rotated, copied for escrow."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from deployments.cli import files, printing
from deployments.cli.backup_errors import NoBackupKey
from deployments.cli.errors import FileExistsAlready, FileNotWritten
from nakoming.records import agreements, backups
from nakoming.records.backup_keys import BackupKeyDamaged, BackupKeyDestroyed, BackupKeyLost, BackupKeys
from nakoming.records.backups import SetState
from nakoming.records.events import Event
from tasks.installation import records

if TYPE_CHECKING:
    from pathlib import Path


def listed(customer: str, *, as_json: bool) -> None:
    """Print each generation: its public key, and how many backups it opens. Lost ones that are needed too.

    Raises:
        UnknownAgreement: there is no such customer.
    """
    keys = _keys(customer)
    with records().read() as tx:
        needed = Counter(each.key_id for each in backups.listed(tx, customer) if each.key_id)
    names = {f"{customer}.{number}" for number in keys.generations(customer)} | needed.keys()
    rows = [_row(keys, key_id, needed[key_id]) for key_id in sorted(names, key=_generation)]
    if as_json:
        printing.emit(rows)
        return
    shown = [(each["key"], each["state"], each["backups"], each["recipient"]) for each in rows]
    printing.table(("key", "state", "backups", "public key"), shown, empty=f"{customer} has no key yet.")


def _row(keys: BackupKeys, key_id: str, backups_of_it: int) -> dict[str, Any]:
    state, public = "there", None
    try:
        public = str(keys.identity(key_id).to_public())
    except BackupKeyDestroyed:
        state = "destroyed"
    except BackupKeyDamaged:
        state = "DAMAGED"
    except BackupKeyLost:
        state = "LOST"
    return {"key": key_id, "state": state, "backups": backups_of_it, "recipient": public}


def _generation(key_id: str) -> int:
    return int(key_id.rpartition(".")[2])


def rotated(customer: str, by: str | None, *, as_json: bool) -> None:
    """Make the next generation, with evidence.

    Raises:
        UnknownAgreement: there is no such customer.
    """
    keys = _keys(customer)
    with records().read() as tx:
        used = {each.key_id for each in backups.listed(tx, customer, tuple(SetState)) if each.key_id}
    made = keys.rotate(customer, used)
    with records().write() as tx:
        payload = {"key": made.key_id, "recipient": made.public, "by": by or files.login()}
        tx.prove(Event.BACKUP_KEY_MADE, customer, payload)
    if as_json:
        printing.emit({"key": made.key_id, "recipient": made.public})
        return
    printing.line(f"{made.key_id} is made; backups from now on are for it. Make an escrow copy of it now.")


def escrowed(customer: str, recipient: str, folder: Path, by: str | None, *, as_json: bool) -> None:
    """Write a copy of every generation, with evidence; nothing is written over.

    Raises:
        UnknownAgreement: there is no such customer.
        NoBackupKey: there is nothing to copy.
        EscrowRecipientInvalid: the recipient is no public key of age.
        FileExistsAlready: there is a copy in that folder; FileNotWritten: it cannot be written.
    """
    keys = _keys(customer)
    names = [f"{customer}.{number}" for number in keys.generations(customer)]
    if not names:
        raise NoBackupKey(customer=customer)
    sealed = {folder / f"{name}.escrow.age": keys.escrow(name, recipient) for name in names}
    for path in sealed:
        if path.exists():
            raise FileExistsAlready(file=path)
    for path, content in sealed.items():
        _write(path, content)
    with records().write() as tx:
        payload = {"keys": names, "recipient": recipient.strip(), "by": by or files.login()}
        tx.prove(Event.BACKUP_KEY_ESCROWED, customer, payload)
    if as_json:
        printing.emit([{"key": name, "file": path} for name, path in zip(names, sealed, strict=True)])
        return
    for path in sealed:
        printing.line(f"{path}: only the holder of {recipient.strip()} can read it.")


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - Path.open has no mode bits
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as failed:
        raise FileNotWritten(file=path, reason=failed.strerror or type(failed).__name__) from failed


def _keys(customer: str) -> BackupKeys:
    with records().read() as tx:
        agreements.newest_version(tx, customer)
    return BackupKeys(records().keys.folder)
