"""The vendor's build and tests: an artefact is known by its SHA-256 and kept under it."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from blocks.build_command import BuildCommand, BuildResult, BuildResultWrong, TestCommand, TestReportMissing
from blocks.command_result import CommandFailed, CommandTimedOut
from tasks.blocks import load_block
from tasks.installation import settings
from tasks.junit import JunitInvalid, judge, parse_junit
from tasks.steps import Work, repeat, step

_OUTPUT_KEPT = 4000


class Artefact(BaseModel):
    """What a build made. `file` lies in the folder of artefacts, under its digest."""

    model_config = ConfigDict(frozen=True)

    revision: str
    version: str
    sha256: str
    file: str

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return settings().artefacts_folder / self.sha256 / self.file


class Built(BaseModel):
    """How a build ended: an artefact, or the reason why the revision cannot be used."""

    model_config = ConfigDict(frozen=True)

    artefact: Artefact | None
    reason: str


class Tested(BaseModel):
    """How a test run ended. `failed` lists name and message of each red test."""

    model_config = ConfigDict(frozen=True)

    green: bool
    reason: str
    total: int
    failed: list[tuple[str, str]]


@step(
    doubt=repeat("a build changes nothing outside its own folder; its result is kept under its digest"),
    timeout=timedelta(hours=1),
)
def build_artefact(work: Work, *, command: str, revision: str) -> Built:
    """Have the vendor's command build a revision (S-2.3.2d); a revision that does not build is no error.

    Raises:
        CommandTimedOut: the command hung and was ended.
        NakomingError: the command is missing or cannot be run.
    """
    del work
    with tempfile.TemporaryDirectory(dir=_folder()) as out:
        try:
            built = load_block(BuildCommand, command).build(revision, out=Path(out))
        except (CommandFailed, BuildResultWrong) as failed:
            return Built(artefact=None, reason=_shortened(str(failed)))
        return Built(artefact=_kept(built), reason=f"built in {built.duration.total_seconds():.1f} s")


@step(
    doubt=repeat("tests run in a folder of their own and leave nothing but their report"),
    timeout=timedelta(hours=2),
)
def test_artefact(work: Work, *, command: str, artefact: Artefact) -> Tested:
    """Have the vendor's command test an artefact (S-2.3.2e); red is an outcome, not an error."""
    del work
    with tempfile.TemporaryDirectory() as folder:
        tool = load_block(TestCommand, command)
        try:
            run = tool.test(artefact.path, sha256=artefact.sha256, junit=Path(folder) / "report.xml")
            report = parse_junit(run.junit)
        except (TestReportMissing, JunitInvalid, CommandTimedOut) as unreadable:
            return Tested(green=False, reason=_shortened(str(unreadable)), total=0, failed=[])
    verdict = judge(report, run.exit_code)
    failed = [(test.name, test.message) for test in report.failed]
    return Tested(green=verdict.green, reason=verdict.reason, total=report.total, failed=failed)


def _folder() -> Path:
    folder = settings().artefacts_folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _kept(built: BuildResult) -> Artefact:
    """Move a built file to its place, whole or not at all; the same file a second time stays as it is."""
    artefact = Artefact(
        revision=built.revision, version=built.version, sha256=built.sha256, file=built.artefact.name
    )
    if not artefact.path.exists():
        artefact.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=artefact.path.parent)
        with os.fdopen(descriptor, "wb") as target, built.artefact.open("rb") as source:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        Path(temporary).replace(artefact.path)
    return artefact


def _shortened(text: str) -> str:
    return text if len(text) <= _OUTPUT_KEPT else f"{text[:_OUTPUT_KEPT]}…"
