"""The vendor's own deploy script: from acceptance to production by one automated script (S-2.6.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from prefect.blocks.core import Block
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from blocks.command import run_command
from blocks.command_template import (
    ArtefactChanged,
    ArtefactMissing,
    check_template,
    checked_identifier,
    expect_sha256,
    file_sha256,
    fill_template,
    read_report,
)
from blocks.health_check import ServiceFacts, verify_service
from blocks.secrets import SecretReference, resolve
from blocks.ssh import SshHost
from blocks.verdict import keep
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from blocks.command_result import CommandResult

Action = Literal["install", "rollback", "status"]
_PLACES = ("action", "customer", "environment", "artefact", "sha256")


def _checked_command(command: list[str]) -> list[str]:
    check_template(command, _PLACES, required=("action", "customer", "environment", "artefact"))
    return command


class ScriptMissing(NakomingError):
    """The script is not there; nothing was done."""

    template = "The deploy script {path} cannot be read: {reason}. Put it back, or correct its block."
    code = "NK5035"


class _Report(BaseModel):
    """The script's last line; what it adds beyond these keys is kept as it is."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    sha256: str | None = Field(pattern=r"^[0-9a-f]{64}$")
    version: str | None
    healthy: bool
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class DeployStatus:
    """What the script says of an environment.

    Attributes:
        installed_sha256: SHA-256 of the artefact installed there; None: nothing is.
        version: its version.
        healthy: whether the script found it healthy.
        url: where it answers.
        raw: all the script said.
    """

    installed_sha256: str | None
    version: str | None
    healthy: bool
    url: str | None
    raw: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DeployResult:
    """What one run of the script did, for the evidence.

    Attributes:
        action: `install` or `rollback`.
        customer: for whom.
        environment: where.
        artefact_sha256: what was handed over; None for a rollback.
        script_sha256: the script that did it: the same on acceptance and production.
        exit_code: 0; anything else is an error.
        output: what it printed, bounded, without secrets.
        duration: how long it took.
        status: what the script says it left behind.
    """

    action: Action
    customer: str
    environment: str
    artefact_sha256: str | None
    script_sha256: str
    exit_code: int
    output: str
    duration: timedelta
    status: DeployStatus


class DeployScript(Block):
    """The vendor's command that installs, rolls back and reports, on this machine or over SSH.

    Its last line of output is one JSON object: `sha256` (of the installed artefact, null: nothing),
    `version`, `healthy`, and `url` where it has one. A word of the command that names {artefact} or {sha256}
    is left out where there is none (rollback, status), so write an option and its value as one word:
    `--artefact={artefact}`.

    Example:
        Install an approved artefact and ask the service itself what it runs:
        ```python
        from pathlib import Path

        from blocks.deploy_script import DeployScript

        script = DeployScript.load("BLOCK_NAME")
        artefact = Path("suite-1.1.tar.gz")
        done = script.install(artefact, sha256="0" * 64, customer="acme", environment="acceptance")
        script.verify(done.status.url, version="1.1", sha256="0" * 64)
        ```
    """

    _block_type_name = "Deploy Script"
    _block_type_slug = "deploy-script"

    command: Annotated[list[str], AfterValidator(_checked_command)] = Field(
        description="Program and arguments, with {action}, {customer}, {environment}, {artefact}, {sha256}."
    )
    script: Path = Field(description="The script file whose SHA-256 is recorded, where the command runs.")
    ssh: SshHost | None = Field(default=None, description="Machine it runs on; empty: this one.")
    timeout: timedelta = Field(
        default=timedelta(minutes=30), gt=timedelta(0), description="After this long a run is ended."
    )
    status_timeout: timedelta = Field(
        default=timedelta(minutes=1), gt=timedelta(0), description="The same for the action status."
    )
    health_timeout: timedelta = Field(
        default=timedelta(minutes=1),
        gt=timedelta(0),
        description="How long the service may take to answer rightly after an installation.",
    )
    working_folder: Path | None = Field(
        default=None, description="Folder the command runs in; empty: the worker's own, or the login folder."
    )
    environment_variables: dict[str, str] = Field(
        default_factory=dict, description="Variables given to the command beside a few common ones."
    )
    secret_variables: dict[str, SecretReference] = Field(
        default_factory=dict, description="Variables whose values are secrets: env:NAME or file:path each."
    )
    remote_folder: str = Field(
        default="/var/tmp",  # noqa: S108 (the file is named by its digest and compared after sending)
        description="Folder on the SSH machine that artefacts are sent to.",
    )

    def install(
        self, artefact: Path, *, sha256: str, customer: str, environment: str, verdict: Path | None = None
    ) -> DeployResult:
        """Hand an artefact to the script, after comparing it once more with what was approved.

        The file `verdict` keeps the script's exit code, also when we are killed before we could say it.

        Raises:
            ArtefactChanged: it is not the approved one; nothing was done.
            ScriptMissing: the script is not there; nothing was done.
            CommandFailed: the script said no.
            CommandTimedOut: it was ended.
            ReportInvalid: it did not say what it left behind.
        """
        return self._change("install", customer, environment, self._hand_over(artefact, sha256), verdict)

    def rollback(
        self, customer: str, environment: str, *, artefact: Path | None = None, sha256: str | None = None
    ) -> DeployResult:
        """Have the script put back what was there before (S-2.6.13); errors as of `install`.

        With the artefact to get rid of and its SHA-256, a script that takes them can be told twice and goes
        back once.
        """
        places = {} if artefact is None or sha256 is None else self._hand_over(artefact, sha256)
        return self._change("rollback", customer, environment, places)

    def status(self, customer: str, environment: str) -> DeployStatus:
        """Ask the script what is installed; it changes nothing. Errors as of `install`."""
        result = self._run("status", customer, environment, {}, self.status_timeout)
        return _status(result)

    def verify(self, url: str, *, version: str, sha256: str) -> ServiceFacts:
        """Ask the service itself for health, version and digest.

        Raises:
            HealthCheckFailed: what was wrong when `health_timeout` had passed.
        """
        return verify_service(url, version=version, sha256=sha256, timeout=self.health_timeout)

    def script_digest(self) -> str:
        """Return the SHA-256 of the script, read where it runs.

        Raises:
            ScriptMissing: it is not there; over SSH `RemoteFileMissing`.
        """
        if self.ssh is not None:
            return self.ssh.sha256(str(self.script))
        try:
            return file_sha256((self.working_folder or Path()) / self.script)
        except ArtefactMissing as missing:
            raise ScriptMissing(**missing.data) from missing

    def check(self) -> tuple[str, ...]:
        """Read the script where it runs; returns what was found, one sentence each."""
        where = "this machine" if self.ssh is None else self.ssh.host
        found = () if self.ssh is None else self.ssh.check()
        return (*found, f"The deploy script {self.script} on {where} has SHA-256 {self.script_digest()}.")

    def _hand_over(self, artefact: Path, sha256: str) -> dict[str, str]:
        expect_sha256(artefact, sha256)
        if self.ssh is None:
            return {"artefact": str(artefact.absolute()), "sha256": sha256}
        # Named by its digest, never by a text from elsewhere; what was sent is compared as well.
        remote = f"{self.remote_folder.rstrip('/')}/{sha256}{artefact.suffix}"
        if (sent := self.ssh.put(artefact, remote)) != sha256:
            raise ArtefactChanged(path=str(artefact), got=sent, expected=sha256)
        return {"artefact": remote, "sha256": sha256}

    def _change(
        self,
        action: Action,
        customer: str,
        environment: str,
        places: dict[str, str],
        verdict: Path | None = None,
    ) -> DeployResult:
        digest = self.script_digest()
        result = self._run(action, customer, environment, places, self.timeout, verdict)
        return DeployResult(
            action=action,
            customer=customer,
            environment=environment,
            artefact_sha256=places.get("sha256"),
            script_sha256=digest,
            exit_code=result.exit_code,
            output=result.output,
            duration=result.duration,
            status=_status(result),
        )

    def _run(
        self,
        action: Action,
        customer: str,
        environment: str,
        places: dict[str, str],
        timeout: timedelta,
        verdict: Path | None = None,
    ) -> CommandResult:
        values = {
            "action": action,
            "customer": checked_identifier("customer", customer),
            "environment": checked_identifier("environment", environment),
        }
        argv = fill_template(self.command, values | places)
        hidden = {name: resolve(reference) for name, reference in self.secret_variables.items()}
        env = self.environment_variables | hidden
        if self.ssh is None:
            folder, secrets = self.working_folder, hidden.values()
            result = run_command(argv, timeout=timeout, env=env, cwd=folder, secrets=secrets, verdict=verdict)
        else:
            there = str(self.working_folder or ".")
            result = self.ssh.run(argv, timeout=timeout, env=env, cwd=there, secrets=hidden.values())
            if verdict is not None and not result.timed_out:
                keep(verdict, result.exit_code)
        return result.expect_success()


def _status(result: CommandResult) -> DeployStatus:
    report = read_report(result, _Report)
    return DeployStatus(
        installed_sha256=report.sha256,
        version=report.version,
        healthy=report.healthy,
        url=report.url,
        raw=report.model_dump(),
    )
