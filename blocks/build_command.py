"""The vendor's own build and test commands (stages build and test of S-2.3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from prefect.blocks.core import Block
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from blocks.command import find_program, run_command
from blocks.command_template import (
    check_template,
    checked_identifier,
    expect_sha256,
    file_sha256,
    fill_template,
    read_report,
)
from blocks.secrets import SecretReference, resolve
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from blocks.command_result import CommandResult

_JUNIT_LIMIT = 32 * 1024 * 1024


class BuildResultWrong(NakomingError):
    """A build ended well, but what it says is not what lies there. `data` holds its output."""

    template = "The build of revision {revision} cannot be used: {reason}."
    code = "NK5040"


class TestReportMissing(NakomingError):
    """A test command ended without leaving its report."""

    __test__: ClassVar[bool] = False
    template = (
        "The test command {program!r} ended with exit code {exit_code} and left no JUnit report "
        "of at most {limit} bytes at {path}."
    )
    code = "NK5041"


class _BuildReport(BaseModel):
    """The build command's last line; more keys are allowed."""

    model_config = ConfigDict(extra="ignore")

    path: Path
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    version: str = Field(min_length=1)
    revision: str = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What a build made.

    Attributes:
        artefact: the file.
        sha256: its SHA-256, taken by us.
        version: the version it calls itself.
        revision: the revision it was made from.
        output: what the command printed, bounded, without secrets.
        duration: how long it took.
    """

    artefact: Path
    sha256: str
    version: str
    revision: str
    output: str
    duration: timedelta


@dataclass(frozen=True, kw_only=True)
class TestRun:
    """How a test run ended; `tasks.junit` reads the report and judges both.

    Attributes:
        exit_code: of the command; test tools say red with a number other than 0.
        junit: the JUnit report as it was left.
        output: what the command printed, bounded, without secrets.
        duration: how long it took.
    """

    __test__: ClassVar[bool] = False
    exit_code: int
    junit: bytes
    output: str
    duration: timedelta


def _build_places(command: list[str]) -> list[str]:
    check_template(command, ("revision", "out"), required=("revision", "out"))
    return command


def _test_places(command: list[str]) -> list[str]:
    check_template(command, ("artefact", "junit"), required=("artefact", "junit"))
    return command


class _VendorCommand(BaseModel):
    """What both commands share; no block of its own."""

    command: list[str]
    timeout: timedelta = Field(
        default=timedelta(hours=1), gt=timedelta(0), description="After this long the command is ended."
    )
    working_folder: Path | None = Field(
        default=None, description="Folder the command runs in; empty: the worker's own."
    )
    environment_variables: dict[str, str] = Field(
        default_factory=dict, description="Variables given to the command beside a few common ones."
    )
    secret_variables: dict[str, SecretReference] = Field(
        default_factory=dict, description="Variables whose values are secrets: env:NAME or file:path each."
    )

    def check(self) -> tuple[str, ...]:
        """See that the program is there; it is not run. Returns what was found, one sentence each.

        Raises:
            CommandMissing: there is no such program.
            WorkingFolderMissing: there is no such folder.
        """
        found = find_program(self.command[0], self.environment_variables, self.working_folder)
        return (f"The command {self.command[0]} is {found}.",)

    def _run(self, values: dict[str, str]) -> CommandResult:
        hidden = {name: resolve(reference) for name, reference in self.secret_variables.items()}
        return run_command(
            fill_template(self.command, values),
            timeout=self.timeout,
            env=self.environment_variables | hidden,
            cwd=self.working_folder,
            secrets=hidden.values(),
        )


class BuildCommand(_VendorCommand, Block):
    """The vendor's command that makes an artefact of one revision.

    Its last line of output is one JSON object with `path` (inside {out}), `sha256`, `version` and `revision`;
    the file is read again and its SHA-256 compared.

    Example:
        Build one revision:
        ```python
        from pathlib import Path

        from blocks.build_command import BuildCommand

        command = BuildCommand.load("BLOCK_NAME")
        built = command.build("1.1", out=Path("build"))
        ```
    """

    _block_type_name = "Build Command"
    _block_type_slug = "build-command"

    command: Annotated[list[str], AfterValidator(_build_places)] = Field(
        description="Program and arguments, with {revision} and {out} (the folder for the artefact)."
    )

    def build(self, revision: str, *, out: Path) -> BuildResult:
        """Build a revision into a folder, which is made when it is not there.

        Raises:
            CommandFailed: the command said no.
            CommandTimedOut: it was ended.
            ReportInvalid: it did not say what it made.
            BuildResultWrong: what it says is not what lies there.
        """
        out.mkdir(parents=True, exist_ok=True)
        values = {"revision": checked_identifier("revision", revision), "out": str(out.absolute())}
        result = self._run(values).expect_success()
        report = read_report(result, _BuildReport)
        artefact = (out / report.path).resolve()
        if reason := _wrong(report, artefact, out.resolve(), revision):
            raise BuildResultWrong(revision=revision, reason=reason, output=result.output)
        return BuildResult(
            artefact=artefact,
            sha256=report.sha256,
            version=report.version,
            revision=report.revision,
            output=result.output,
            duration=result.duration,
        )


def _wrong(report: _BuildReport, artefact: Path, out: Path, revision: str) -> str | None:
    if report.revision != revision:
        return f"it says it is revision {report.revision}"
    if not artefact.is_relative_to(out):
        return f"its artefact {artefact} lies outside {out}"
    if not artefact.is_file() or artefact.stat().st_size == 0:
        return f"its artefact {artefact} is missing or empty"
    if (got := file_sha256(artefact)) != report.sha256:
        return f"its artefact {artefact} holds SHA-256 {got}, it says {report.sha256}"
    return None


class TestCommand(_VendorCommand, Block):
    """The vendor's command that tests an artefact and leaves a JUnit report.

    A red test is no error of the command: the exit code is returned, and `tasks.junit` judges it together
    with the report.

    Example:
        Test an artefact:
        ```python
        from pathlib import Path

        from blocks.build_command import TestCommand

        command = TestCommand.load("BLOCK_NAME")
        run = command.test(Path("suite-1.1.tar.gz"), sha256="0" * 64, junit=Path("build/junit.xml"))
        ```
    """

    __test__: ClassVar[bool] = False
    _block_type_name = "Test Command"
    _block_type_slug = "test-command"

    command: Annotated[list[str], AfterValidator(_test_places)] = Field(
        description="Program and arguments, with {artefact} and {junit} (the file for the report)."
    )

    def test(self, artefact: Path, *, sha256: str, junit: Path) -> TestRun:
        """Test an artefact after comparing it with what was built; an old report is removed first.

        Raises:
            ArtefactChanged: it is not what was built; nothing was run.
            CommandTimedOut: the command was ended.
            TestReportMissing: it left no report, or one too large to be one.
        """
        expect_sha256(artefact, sha256)
        junit.parent.mkdir(parents=True, exist_ok=True)
        junit.unlink(missing_ok=True)
        result = self._run({"artefact": str(artefact.absolute()), "junit": str(junit.absolute())})
        if result.timed_out:
            result.expect_success()
        if not junit.is_file() or junit.stat().st_size > _JUNIT_LIMIT:
            raise TestReportMissing(
                program=result.program,
                exit_code=result.exit_code,
                path=str(junit),
                limit=_JUNIT_LIMIT,
                output=result.output,
            )
        return TestRun(
            exit_code=result.exit_code,
            junit=junit.read_bytes(),
            output=result.output,
            duration=result.duration,
        )
