"""Installs on a customer's environments by the vendor's own script, and goes back (S-2.6.3, S-2.6.13)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from blocks import verdict
from blocks.command_result import (
    CommandFailed,
    CommandMissing,
    CommandNotExecutable,
    CommandTimedOut,
    WorkingFolderMissing,
)
from blocks.command_template import ArtefactChanged, ArtefactMissing, ReportInvalid
from blocks.deploy_script import DeployResult, DeployScript, ScriptMissing
from blocks.health_check import HealthCheckFailed
from blocks.kept_output import last_part
from nakoming.errors import NakomingError
from tasks import shared_things
from tasks.blocks import load_block
from tasks.installation import settings
from tasks.shared_things import leased
from tasks.steps import CannotTell, CleanFailure, DidNotHappen, Happened, Work, ask, repeat, step

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.artefacts import Artefact

_TIMEOUT = timedelta(minutes=35)
_REASON_LIMIT = 4000
# Each of these comes before the script is started.
_NOTHING_DONE = (
    ArtefactChanged,
    ArtefactMissing,
    CommandMissing,
    CommandNotExecutable,
    ScriptMissing,
    WorkingFolderMissing,
)


class Target(BaseModel):
    """One environment of a customer and the block that reaches it."""

    model_config = ConfigDict(frozen=True)

    block: str
    customer: str
    environment: str

    @property
    def resource(self) -> str:
        """The name under which it is leased."""
        return shared_things.environment(self.customer, self.environment)


class Standing(BaseModel):
    """What an environment says is installed on it."""

    model_config = ConfigDict(frozen=True)

    sha256: str | None
    version: str | None
    url: str | None


class Looked(Standing):
    """The same, with the digest of the script that would change it; none when an earlier version looked."""

    script_sha256: str | None = None


class Installed(BaseModel):
    """How an installation or rollback ended; `ok` only when the service itself answered rightly.

    `script_sha256` is the digest of the script that did it: the same on acceptance and production. `output`
    is the end of what it printed, without secrets, and `exit_code` how it ended: none when that was not seen,
    or when an earlier version installed.
    """

    model_config = ConfigDict(frozen=True)

    ok: bool
    reason: str
    sha256: str | None
    version: str | None
    url: str | None
    script_sha256: str | None
    output: str = ""
    exit_code: int | None = None


def is_installed(
    work: Work, *, target: Target, artefact: Artefact
) -> Happened[Installed] | DidNotHappen | CannotTell:
    """What the script itself called failed has failed, whatever stands there now.

    Where its verdict is not known (it was killed, or its worker's disk is another one) the environment says
    what stands on it: a script killed half-way leaves the old or the new.
    """
    script = load_block(DeployScript, target.block)
    try:
        if code := verdict.read(_verdict_file(work)):
            reason = f"The deploy script ended with exit code {code}; 0 is expected."
            return Happened(_refused(reason, script, exit_code=code))
        status = script.status(target.customer, target.environment)
    except NakomingError:
        return CannotTell()
    if status.installed_sha256 != artefact.sha256 or not status.healthy:
        return DidNotHappen()
    return Happened(_verified(script, artefact, status.url, _digest(script)))


@step(doubt=ask(is_installed), timeout=_TIMEOUT)
def install(work: Work, *, target: Target, artefact: Artefact) -> Installed:
    """Install an artefact and verify health, version and digest; a failure is an outcome to act upon.

    Raises:
        ResourceBusy: another case works on this environment.
        CleanFailure: the script is missing, or the artefact is not the one that was tested.
    """
    script, verdict_file = load_block(DeployScript, target.block), _verdict_file(work)
    with leased(work, target.resource, lease=_TIMEOUT):
        verdict_file.parent.mkdir(parents=True, exist_ok=True)
        verdict_file.unlink(missing_ok=True)
        try:
            done = script.install(
                artefact.path,
                sha256=artefact.sha256,
                customer=target.customer,
                environment=target.environment,
                verdict=verdict_file,
            )
        except _NOTHING_DONE as missing:
            raise CleanFailure(reason=str(missing)) from missing
        except (CommandFailed, CommandTimedOut, ReportInvalid) as failed:
            said = failed.data
            return _refused(str(failed), script, output=said["output"], exit_code=said["exit_code"])
        verified = _verified(script, artefact, done.status.url, done.script_sha256)
    return verified.model_copy(update=_said(done))


@step(
    doubt=repeat("the script rolls an artefact back only where it stands"),
    timeout=_TIMEOUT,
)
def roll_back(work: Work, *, target: Target, artefact: Artefact, before: Standing) -> Installed:
    """Go back to what stood there before `artefact`, and verify that it does (S-2.6.13).

    Raises:
        CommandFailed: the script could not; the operators must look.
        HealthCheckFailed: what stood there before does not answer.
    """
    script = load_block(DeployScript, target.block)
    with leased(work, target.resource, lease=_TIMEOUT):
        done = script.rollback(
            target.customer, target.environment, artefact=artefact.path, sha256=artefact.sha256
        )
    if before.sha256 is not None and before.version is not None:
        script.verify(str(done.status.url), version=before.version, sha256=before.sha256)
    return _result(done, ok=True, reason="rolled back")


@step(doubt=repeat("it only looks"), timeout=timedelta(minutes=2))
def look_at(work: Work, *, target: Target) -> Looked:
    """What is installed on an environment now, and by which script it would be changed.

    Raises:
        ScriptMissing: there is none.
    """
    del work
    script = load_block(DeployScript, target.block)
    digest = script.script_digest()
    status = script.status(target.customer, target.environment)
    return Looked(
        sha256=status.installed_sha256, version=status.version, url=status.url, script_sha256=digest
    )


def _verdict_file(work: Work) -> Path:
    """Where the script's exit code survives this process: of this attempt, and of no other."""
    return settings().home / "verdicts" / f"{work.key}-{work.attempt}"


def _verified(
    script: DeployScript, artefact: Artefact, url: str | None, script_sha256: str | None
) -> Installed:
    ok, reason = True, "health, version and digest verified"
    if url is None:
        ok, reason = False, "the script names no address to verify"
    else:
        try:
            script.verify(url, version=artefact.version, sha256=artefact.sha256)
        except HealthCheckFailed as failed:
            ok, reason = False, str(failed)
    return Installed(
        ok=ok,
        reason=reason,
        sha256=artefact.sha256,
        version=artefact.version,
        url=url,
        script_sha256=script_sha256,
    )


def _refused(reason: str, script: DeployScript, *, exit_code: int, output: str = "") -> Installed:
    return Installed(
        ok=False,
        reason=reason[:_REASON_LIMIT],
        sha256=None,
        version=None,
        url=None,
        script_sha256=_digest(script),
        output=last_part(output),
        exit_code=exit_code,
    )


def _digest(script: DeployScript) -> str | None:
    """The script's digest where it still lies there: what it did stands, also when it is gone since."""
    try:
        return script.script_digest()
    except NakomingError:
        return None


def _said(done: DeployResult) -> dict[str, Any]:
    return {"output": last_part(done.output), "exit_code": done.exit_code}


def _result(done: DeployResult, *, ok: bool, reason: str) -> Installed:
    return Installed(
        ok=ok,
        reason=reason,
        sha256=done.status.installed_sha256,
        version=done.status.version,
        url=done.status.url,
        script_sha256=done.script_sha256,
        **_said(done),
    )
