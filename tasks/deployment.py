"""Installs on a customer's environments by the vendor's own script, and goes back (S-2.6.3, S-2.6.13)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from blocks import verdict
from blocks.command_result import CommandFailed, CommandTimedOut
from blocks.command_template import ReportInvalid
from blocks.deploy_script import DeployResult, DeployScript
from blocks.health_check import HealthCheckFailed
from nakoming.errors import NakomingError
from tasks import shared_things
from tasks.blocks import load_block
from tasks.installation import settings
from tasks.shared_things import leased
from tasks.steps import CannotTell, DidNotHappen, Happened, Work, ask, repeat, step

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.artefacts import Artefact

_TIMEOUT = timedelta(minutes=35)
_OUTPUT_KEPT = 4000


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


class Installed(BaseModel):
    """How an installation or rollback ended; `ok` only when the service itself answered rightly.

    `script_sha256` is the digest of the script that did it: the same on acceptance and production.
    """

    model_config = ConfigDict(frozen=True)

    ok: bool
    reason: str
    sha256: str | None
    version: str | None
    url: str | None
    script_sha256: str | None


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
            return Happened(
                _refused(f"The deploy script ended with exit code {code}; 0 is expected.", script)
            )
        status = script.status(target.customer, target.environment)
    except NakomingError:
        return CannotTell()
    if status.installed_sha256 != artefact.sha256 or not status.healthy:
        return DidNotHappen()
    return Happened(_verified(script, artefact, status.url, script.script_digest()))


@step(doubt=ask(is_installed), timeout=_TIMEOUT)
def install(work: Work, *, target: Target, artefact: Artefact) -> Installed:
    """Install an artefact and verify health, version and digest; a failure is an outcome to act upon.

    Raises:
        ResourceBusy: another case works on this environment.
        NakomingError: the script is missing, or the artefact is not the one that was tested.
    """
    script, said = load_block(DeployScript, target.block), _verdict_file(work)
    with leased(work, target.resource, lease=_TIMEOUT):
        said.parent.mkdir(parents=True, exist_ok=True)
        said.unlink(missing_ok=True)
        try:
            done = script.install(
                artefact.path,
                sha256=artefact.sha256,
                customer=target.customer,
                environment=target.environment,
                verdict=said,
            )
        except (CommandFailed, CommandTimedOut, ReportInvalid) as failed:
            return _refused(str(failed), script)
        return _verified(script, artefact, done.status.url, done.script_sha256)


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
def look_at(work: Work, *, target: Target) -> Standing:
    """What is installed on an environment now."""
    del work
    status = load_block(DeployScript, target.block).status(target.customer, target.environment)
    return Standing(sha256=status.installed_sha256, version=status.version, url=status.url)


def _verdict_file(work: Work) -> Path:
    """Where the script's exit code survives this process: of this attempt, and of no other."""
    return settings().home / "verdicts" / f"{work.key}-{work.attempt}"


def _verified(script: DeployScript, artefact: Artefact, url: str | None, script_sha256: str) -> Installed:
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


def _refused(reason: str, script: DeployScript) -> Installed:
    digest = script.script_digest()
    reason = reason[:_OUTPUT_KEPT]
    return Installed(ok=False, reason=reason, sha256=None, version=None, url=None, script_sha256=digest)


def _result(done: DeployResult, *, ok: bool, reason: str) -> Installed:
    return Installed(
        ok=ok,
        reason=reason,
        sha256=done.status.installed_sha256,
        version=done.status.version,
        url=done.status.url,
        script_sha256=done.script_sha256,
    )
