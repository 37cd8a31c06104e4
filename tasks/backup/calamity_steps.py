"""The steps of a restore in a calamity: a good copy, beside the live database, then in its place."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from blocks.backup.errors import RestoreFailed
from blocks.backup.switch_protocol import NameInUse, SwitchHeld, SwitchLost, SwitchRefused
from nakoming.errors import NakomingError
from nakoming.records.backup_keys import BackupKeys
from tasks.backup import limits
from tasks.backup.calamity_errors import LedgerSilent, NoGoodCopy
from tasks.backup.calamity_places import ledger_in, switch_of
from tasks.backup.connections import site_of
from tasks.backup.drill_errors import is_of_the_set
from tasks.backup.drill_one import require_equal
from tasks.backup.opening import opened
from tasks.backup.verifying import read_manifest, verified
from tasks.erp.bookkeeping import outgoing, suite_outbox
from tasks.shared_things import PRODUCTION, environment, leased
from tasks.steps import CannotTell, DidNotHappen, Happened, Work, ask, repeat, step

if TYPE_CHECKING:
    from blocks.backup.protocol import Site
    from blocks.backup.switch_protocol import Switch

PATIENCE: Final = timedelta(minutes=10)
TIMEOUT: Final = timedelta(hours=4)
_SWITCHING: Final = timedelta(minutes=5)
_DATABASE: Final = "database.age"
_ROOM: Final = 1_000_000  # numbers that the Suite may have given out since the backup, and nobody can count
_OF_HERE: Final = (RestoreFailed, NameInUse, SwitchHeld, SwitchLost, SwitchRefused)
Beside = Literal["beside", "former", "undone"]


@dataclass(frozen=True)
class _Chosen:
    """A backup by its manifest, as it was chosen."""

    customer: str
    set_id: str
    manifest_sha256: str


class Copy(BaseModel):
    """Where a good copy lies; `site` None: at no site, and `said` why."""

    model_config = ConfigDict(frozen=True)

    site: str | None
    said: str


class Restored(BaseModel):
    """A database beside the live one.

    Attributes:
        new_id: which it is, whatever it is called.
        rows: that were compared.
        said: what was found good.
        last_out: the highest number of the Suite's outbox in it; None: it has no exchange.
        next_out: from which its outbox goes on, so that no number that an ERP knows is given again.
        failed: what is wrong with the backup; None: nothing, all of the above holds.
    """

    model_config = ConfigDict(frozen=True)

    new_id: int = 0
    rows: int = 0
    said: str = ""
    last_out: int | None = None
    next_out: int | None = None
    failed: str | None = None


@step(doubt=repeat("it is only read"), timeout=TIMEOUT)
def find_good_copy(work: Work, *, set_id: str, manifest_sha256: str, sites: list[str]) -> Copy:
    """Read the chosen backup in full, site after site, until one holds it as it was kept.

    Raises:
        NoGoodCopy: none does, and one that could not be asked may.
    """
    chosen, keys = _Chosen(work.customer, set_id, manifest_sha256), BackupKeys(work.records.keys.folder)
    damaged: list[str] = []
    silent: list[str] = []
    for name in sites:
        try:
            site = site_of(name)
            with limits.places(work, _one_of(site), patience=PATIENCE):
                found = verified(site, chosen, keys)
        except NakomingError as error:
            (damaged if is_of_the_set(error) else silent).append(f"{name}: {error}")
        else:
            return Copy(site=name, said=f"{name} holds it: {found.read_bytes} bytes were read.")
    if silent:
        raise NoGoodCopy(set_id=set_id, customer=work.customer, reason=" ".join([*silent, *damaged]))
    return Copy(site=None, said=" ".join(damaged))


def _one_of(site: Site) -> dict[str, int]:
    return {f"backup/site/{site.server()}": limits.PER_SITE}


@step(doubt=repeat("what an earlier attempt left beside the live database goes first"), timeout=TIMEOUT)
def restore_beside(
    work: Work, *, database: str, suite: str | None, site: str, set_id: str, manifest_sha256: str
) -> Restored:
    """Restore a backup beside the live database, and compare all of it with its manifest.

    Raises:
        RestoreFailed: the server did not take it; nothing is said of the backup.
        BackupError: a site or the server does not answer.
        ResourceBusy: the site had no place for ten minutes.
    """
    holding, switch = site_of(site), switch_of(work.customer, database, work.lease.case_id)
    chosen = _Chosen(work.customer, set_id, manifest_sha256)
    try:
        with limits.places(work, _one_of(holding), patience=PATIENCE):
            new_id, rows, said = _restored(work, holding, chosen, switch)
    except NakomingError as error:
        if not is_of_the_set(error) or isinstance(error, _OF_HERE):
            raise
        switch.drop(switch.names.beside)
        return Restored(failed=str(error))
    last_out, next_out = _numbers_raised(switch, suite)
    return Restored(new_id=new_id, rows=rows, said=said, last_out=last_out, next_out=next_out)


def _restored(work: Work, site: Site, chosen: _Chosen, switch: Switch) -> tuple[int, int, str]:
    keys = BackupKeys(work.records.keys.folder)
    manifest, _ = read_manifest(site, chosen, keys)
    part = next(each for each in manifest.parts if each.name == _DATABASE)
    file = f"{manifest.folder}/{part.name}"
    dump = opened(site, file, part, keys.identity(manifest.key_id), manifest.key_id)
    with closing(dump):
        new_id = switch.restore(dump)
    require_equal(file, part.facts.rows, part.facts.checksums, switch.facts())
    said = " ".join(switch.check())
    return new_id, sum(part.facts.rows.values()), said


def _numbers_raised(switch: Switch, suite: str | None) -> tuple[int | None, int | None]:
    """Let the restored outbox go on far above every number that was given out since.

    The ERP knows rows by their number: one that was given to a lost row, and again to a new one, would be
    taken for sent already, and its hours or materials would never arrive.
    """
    try:
        last = _last_number(switch, suite, switch.names.beside)
    except LedgerSilent:
        return None, None
    known = [last]
    with suppress(LedgerSilent):  # where the live one cannot be read, there is room enough
        known.append(_last_number(switch, suite, switch.names.live))
    least = max(known) + _ROOM
    return last, least if switch.raise_numbers(suite_outbox.name, "id", least) else None


def _last_number(switch: Switch, suite: str | None, name: str) -> int:
    with ledger_in(switch, suite, name) as connection:
        found = [
            connection.execute(select(func.max(each.c.id))).scalar() for each in (outgoing, suite_outbox)
        ]
    return max(int(each or 0) for each in found)


def _names_tell(
    work: Work, *, database: str, new: Beside, new_id: int, kept: Beside
) -> Happened[int | None] | DidNotHappen | CannotTell:
    """Which database has which name tells how far it came; where they are exchanged, it is ended."""
    switch = switch_of(work.customer, database, work.lease.case_id)
    if switch.identity(switch.names.live) == new_id:
        return Happened(_exchanged(switch, new, new_id, kept))
    return DidNotHappen() if switch.identity(_name(switch, new)) == new_id else CannotTell()


@step(doubt=ask(_names_tell), timeout=_SWITCHING)
def give_live_name(work: Work, *, database: str, new: Beside, new_id: int, kept: Beside) -> int | None:
    """Put a database in the place of the live one; nobody installs anything on production meanwhile.

    Returns:
        the identity of the one that was live, which is called `kept` now; None: there was none.

    Raises:
        BackupError: nothing was changed.
        ResourceBusy: production is in use.
    """
    switch = switch_of(work.customer, database, work.lease.case_id)
    with leased(work, environment(work.customer, PRODUCTION), lease=_SWITCHING):
        return _exchanged(switch, new, new_id, kept)


def _exchanged(switch: Switch, new: Beside, new_id: int, kept: Beside) -> int | None:
    switch.exchange(new=_name(switch, new), new_id=new_id, kept=_name(switch, kept))
    return switch.identity(_name(switch, kept))


@step(doubt=repeat("what is gone is not there to be dropped"), timeout=timedelta(minutes=30))
def drop_beside(work: Work, *, database: str, which: Beside) -> str | None:
    """Remove a database that is no longer needed, never the live one; its name, None: it was gone.

    Raises:
        BackupError: the server did not do it.
    """
    switch = switch_of(work.customer, database, work.lease.case_id)
    called = _name(switch, which)
    return called if switch.drop(called) else None


def _name(switch: Switch, which: Beside) -> str:
    found: Any = getattr(switch.names, which)
    return str(found)
