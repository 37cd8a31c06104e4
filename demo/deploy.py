"""The vendor's deploy script, one for all environments (S-2.6.3).

`python -m demo.deploy install|rollback|status|start|stop --customer C --environment acceptance|production
--root DIR [--artefact FILE]` prints one JSON line with what then stands there. Exit 0: done; 1: not done or
not healthy, with one sentence on the error stream; 2: wrongly called. It may be killed at any instant and
called again; the service it starts goes on when it ends.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo import install_log, releases, suite_service
from demo.artefacts import read_artefact
from demo.environment_folder import EnvironmentFolder
from demo.errors import ArtefactNeededError, DigestMismatchError
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.artefacts import Artefact

HEALTH_SECONDS = 30.0
LOCK_SECONDS = 120.0
STATUS_SECONDS = 5.0

Facts = dict[str, Any]


def install(environment: EnvironmentFolder, options: argparse.Namespace) -> str:
    """Install the artefact and see it answer; the release that is current and well is left alone.

    Raises:
        NakomingError: See `demo.errors`; after `UnhealthyError` the new release stands there, to be rolled
            back.
    """
    with environment.lock(options.patience) as lock:
        releases.settle(environment)
        artefact = environment.keep_release(_artefact(options).path)
        if environment.linked("current") == artefact.sha256:
            result = "unchanged"
            install_log.note(environment, "install", "unchanged")
        else:
            result = "installed"
            releases.install(environment, artefact, lock)
        suite_service.start(environment)
        suite_service.verify(environment, options.timeout)
    return result


def rollback(environment: EnvironmentFolder, options: argparse.Namespace) -> str:
    """Go back to the release before, database included, and see it answer.

    With an artefact only that one is rolled back: where it is not current nothing is left to do, so that the
    command can be repeated.
    """
    unwanted = _artefact(options).sha256 if options.artefact else None
    with environment.lock(options.patience):
        releases.settle(environment)
        if unwanted is not None and environment.linked("current") != unwanted:
            result = "unchanged"
            install_log.note(environment, "rollback", "unchanged")
        else:
            result = "rolled back"
            releases.roll_back(environment)
        suite_service.start(environment)
        suite_service.verify(environment, options.timeout)
    return result


def start(environment: EnvironmentFolder, options: argparse.Namespace) -> str:
    """See that the current release runs and is well."""
    with environment.lock(options.patience):
        releases.settle(environment)
        result = "unchanged" if suite_service.is_running(environment) else "started"
        suite_service.start(environment)
        suite_service.verify(environment, options.timeout)
    return result


def stop(environment: EnvironmentFolder, options: argparse.Namespace) -> str:
    """See that nothing runs; what is installed stays."""
    with environment.lock(options.patience):
        result = "stopped" if suite_service.is_running(environment) else "unchanged"
        suite_service.stop(environment)
    return result


def status(environment: EnvironmentFolder, _options: argparse.Namespace) -> str:
    """Change nothing, look only."""
    return "changing" if environment.is_being_changed() else "settled"


def facts(environment: EnvironmentFolder) -> Facts:
    """What stands in the environment, from its folder and from the service's own answers."""
    sha256 = environment.linked("current")
    built = environment.read_json(f"releases/{sha256}/RELEASE.json") if sha256 else {}
    complaint = suite_service.complaint(environment, STATUS_SECONDS)
    service = environment.read_json("service.json")
    unfinished = environment.unfinished()
    return {
        "customer": environment.customer,
        "environment": environment.name,
        "sha256": sha256,
        "version": built.get("version"),
        "revision": built.get("revision"),
        "schema_revision": built.get("schema_revision"),
        "previous_sha256": environment.linked("previous"),
        "healthy": complaint is None,
        "reason": complaint.reason if complaint else None,
        "url": service.get("url"),
        "pids": [process.pid for process in suite_service.processes(environment)],
        "unfinished": unfinished.action if unfinished else None,
    }


ACTIONS = {"install": install, "rollback": rollback, "status": status, "start": start, "stop": stop}


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one action."""
    options = _parser().parse_args(arguments)
    try:
        environment = EnvironmentFolder(options.root, options.customer, options.environment)
        result = ACTIONS[options.action](environment, options)
    except NakomingError as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return error.exit_status
    outcome = {"action": options.action, "result": result, **facts(environment)}
    sys.stdout.write(json.dumps(outcome) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demo.deploy", description=__doc__)
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--artefact", type=Path, help="needed to install; limits a rollback to this one")
    parser.add_argument("--sha256", help="the digest the artefact must have")
    parser.add_argument("--customer", required=True)
    parser.add_argument("--environment", required=True, choices=["acceptance", "production"])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--timeout", type=float, default=HEALTH_SECONDS, help="seconds to become healthy")
    parser.add_argument("--patience", type=float, default=LOCK_SECONDS, help="seconds to wait for another")
    return parser


def _artefact(options: argparse.Namespace) -> Artefact:
    if options.artefact is None:
        raise ArtefactNeededError
    artefact = read_artefact(options.artefact)
    if options.sha256 not in {None, artefact.sha256}:
        raise DigestMismatchError(path=options.artefact, actual=artefact.sha256, expected=options.sha256)
    return artefact


if __name__ == "__main__":
    sys.exit(main())
