"""Changing which release an environment runs: install, roll back, and settle what a kill left half done.

Order matters: the change is noted, the service stopped, the database put aside and migrated, then the links
are switched. Before the switch of `current` everything can be undone from the copy; after it only the service
is to be started. So at any instant a later deployment knows what to do from what lies there.
"""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from demo import install_log, suite_service
from demo.database_copies import copies_of
from demo.environment_folder import EnvironmentFolder, Unfinished
from demo.errors import MigrationError, NothingToRollBackError

if TYPE_CHECKING:
    from demo.artefacts import Artefact


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def settle(environment: EnvironmentFolder) -> None:
    """End or undo what an earlier deployment left unfinished; the lock is held."""
    change = environment.unfinished()
    if change is None:
        return
    if change.action == "install" and environment.linked("current") == change.undo:
        _conclude_install(environment, change)
    else:
        _go_back(environment, change)


def install(environment: EnvironmentFolder, artefact: Artefact, lock: int) -> None:
    """Make `artefact` the current release, its database migrated; the service is left stopped.

    Raises:
        MigrationError: The migration failed; the environment is as it was, its service runs again.
    """
    change = Unfinished("install", undo=artefact.sha256, base=environment.linked("current"))
    copies = copies_of(environment)
    copies.discard(artefact.sha256)
    environment.begin(change)
    suite_service.stop(environment)
    copies.make(artefact.sha256)
    try:
        _migrate(environment, artefact, lock)
    except MigrationError:
        settle(environment)
        if change.base is not None:
            suite_service.start(environment)
        raise
    environment.write_json(_history(artefact.sha256), {"base": change.base})
    environment.point("current", artefact.sha256)
    _conclude_install(environment, change)


def roll_back(environment: EnvironmentFolder) -> None:
    """Go back to the release before the current one, database included; the service is left stopped.

    Raises:
        NothingToRollBackError: There is none.
    """
    current = environment.linked("current")
    base = _base_of(environment, current) if current else None
    if current is None or base is None:
        raise NothingToRollBackError(customer=environment.customer, environment=environment.name)
    change = Unfinished("rollback", undo=current, base=base)
    environment.begin(change)
    _go_back(environment, change)


def _conclude_install(environment: EnvironmentFolder, change: Unfinished) -> None:
    environment.point("previous", change.base)
    install_log.note_switch(environment, "install", "installed")
    environment.finish()


def _go_back(environment: EnvironmentFolder, change: Unfinished) -> None:
    suite_service.stop(environment)
    copies = copies_of(environment)
    if copies.exists(change.undo):
        copies.put_back(change.undo)
    environment.point("current", change.base)
    environment.point("previous", _base_of(environment, change.base) if change.base else None)
    if change.action == "rollback":
        install_log.note_switch(environment, "rollback", "rolled back")
    environment.finish()
    (environment.folder / _history(change.undo)).unlink(missing_ok=True)
    copies.discard(change.undo)


def _history(sha256: str) -> str:
    return f"history/{sha256}.json"


def _base_of(environment: EnvironmentFolder, sha256: str) -> str | None:
    """The release that `sha256` was installed over."""
    base: str | None = environment.read_json(_history(sha256)).get("base")
    return base


def _migrate(environment: EnvironmentFolder, artefact: Artefact, lock: int) -> None:
    current = environment.linked("current")
    if current is not None:
        at = _run_migrate(environment, current, lock, "show")
        if at > artefact.schema_revision:
            # Only the newer release knows the way down.
            _run_migrate(environment, current, lock, "to", str(artefact.schema_revision))
    _run_migrate(environment, artefact.sha256, lock, "to")


def _die_with_parent() -> None:
    if hasattr(LIBC, "prctl"):  # Linux; elsewhere the inherited lock makes the next deployment wait
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _run_migrate(environment: EnvironmentFolder, sha256: str, lock: int, *arguments: str) -> int:
    ended = subprocess.run(
        [sys.executable, "-m", "suite.migrate", *arguments],
        cwd=environment.release(sha256),
        env=suite_service.process_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        pass_fds=(lock,),
        preexec_fn=_die_with_parent,  # this script has one thread, so it is safe
    )
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"])[-1]
        raise MigrationError(customer=environment.customer, environment=environment.name, reason=last)
    return int(json.loads(ended.stdout)["schema_revision"])
