"""What of this machine and of the records is tried: disk, folders, keys, schema, agreements, portal."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Final

from deployments.cli.attempts import Attempt
from deployments.cli.errors import KeysExposed, KeysMissing, NothingLoaded, PortalWrong, RoomScarce
from deployments.embedded import system
from deployments.embedded.checks import MEGABYTE, ROOM_MB
from nakoming.agreement.calendar import WorkingCalendar
from nakoming.agreement.local_time import local_date
from nakoming.records import agreements
from tasks.installation import records, settings

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.agreement.terms import Agreement

RECORDS: Final = "records"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OK: Final = 200


def attempts() -> list[Attempt]:
    """What can be tried without knowing any customer."""
    found = settings()
    writable = "Make it writable for this user, or name another folder in its variable."
    return [
        Attempt("disk", partial(_room, found.home), "See that the disk answers."),
        Attempt(RECORDS, _records, "See that the database of NAKOMING_RECORDS_URL runs and takes us."),
        Attempt("keys", partial(_keys, found.keys_folder), writable),
        Attempt("documents", partial(_writable, found.documents_folder), writable),
        Attempt("artefacts", partial(_writable, found.artefacts_folder), writable),
        Attempt("portal", _portal, "Start it with `nakoming up` or `nakoming portal`."),
    ]


def _room(home: Path) -> str:
    there = _nearest(home)
    free = shutil.disk_usage(there).free // MEGABYTE
    if free < ROOM_MB:
        raise RoomScarce(folder=there, free=free, needed=ROOM_MB)
    return f"{free} MB are free in {there}."


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    path = folder.absolute()
    return next(each for each in (path, *path.parents) if each.exists())


def _records() -> str:
    with records().read() as tx:
        loaded = agreements.customers(tx)
        if not loaded:
            raise NothingLoaded(what="no customer's agreement")
        agreements.vendor(tx)
    return f"The schema is the one this program knows; agreements: {', '.join(loaded)}."


def _keys(folder: Path) -> str:
    """Nobody but their owner may read keys: who has them and a backup has everything."""
    if not folder.is_dir() or not any(folder.glob("*.key")):
        raise KeysMissing(folder=folder)
    for path in (folder, *sorted(folder.glob("*.key"))):
        mode = path.stat().st_mode
        if mode & _OTHERS:
            raise KeysExposed(path=path, mode=f"{stat.S_IMODE(mode):04o}")
        if not os.access(path, os.R_OK):
            raise PermissionError(f"{path} cannot be read")
    return f"{len(list(folder.glob('*.key')))} keys in {folder}, readable by their owner alone."


def _writable(folder: Path) -> str:
    """A file is made and is gone at once; a folder that is not there yet must be possible."""
    there = _nearest(folder)
    with tempfile.TemporaryFile(dir=there):
        pass
    return f"{folder} can be written." if there == folder.absolute() else f"{folder} can be made."


def _portal() -> str:
    import httpx

    running = system.running(settings())
    url = running.portal_url if running else settings().portal_url
    answer = httpx.get(f"{url}/health", timeout=10, follow_redirects=False)
    if answer.status_code != _OK:
        raise PortalWrong(url=url, status=answer.status_code)
    return f"{url} answers."


def calendar(agreement: Agreement) -> Attempt:
    """The working days of this year and the next are agreed."""
    name = f"calendar of {agreement.customer}"
    return Attempt(name, partial(_calendar, agreement), "Agree them and load the agreement again.")


def _calendar(agreement: Agreement) -> str:
    with records().read() as tx:
        this_year = local_date(tx.now).year
    found = WorkingCalendar.from_terms(agreement)
    for year in (this_year, this_year + 1):
        found.is_working_day(date(year, 1, 1))
    return f"The working days of {this_year} and {this_year + 1} are agreed."
