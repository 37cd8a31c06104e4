"""The vendor's build and tests: an artefact is known by its SHA-256 and kept under it."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from blocks.build_command import BuildCommand, BuildResult, BuildResultWrong, TestCommand, TestReportMissing
from blocks.command_result import CommandFailed, CommandTimedOut
from blocks.command_template import ReportInvalid
from blocks.kept_output import last_part
from nakoming.records.errors import StorageFull
from tasks.blocks import load_block
from tasks.installation import settings
from tasks.junit import JunitInvalid, judge, parse_junit
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from nakoming.errors import NakomingError

_REASON_LIMIT = 4000
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


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
    """How a build ended: an artefact, or the reason why the revision cannot be used.

    `output` is the end of what the command printed; cases of before it was kept have none.
    """

    model_config = ConfigDict(frozen=True)

    artefact: Artefact | None
    reason: str
    output: str = ""


class Tested(BaseModel):
    """How a test run ended. `failed` lists name and message of each red test; `output` as of `Built`."""

    model_config = ConfigDict(frozen=True)

    green: bool
    reason: str
    total: int
    failed: list[tuple[str, str]]
    output: str = ""


@step(
    doubt=repeat("a build changes nothing outside its own folder; its result is kept under its digest"),
    timeout=timedelta(hours=1),
)
def build_artefact(work: Work, *, command: str, revision: str) -> Built:
    """Have the vendor's command build a revision (S-2.3.2d); a revision that does not build is no error.

    One whose build hangs is ended and goes back likewise: only the builder can say what to do with it.

    Raises:
        NakomingError: the command is missing or cannot be run.
    """
    del work
    with tempfile.TemporaryDirectory(dir=_folder()) as out:
        try:
            built = load_block(BuildCommand, command).build(revision, out=Path(out))
        except (CommandFailed, CommandTimedOut, ReportInvalid, BuildResultWrong) as failed:
            return Built(artefact=None, reason=_shortened(str(failed)), output=_said(failed))
        reason = f"built in {built.duration.total_seconds():.1f} s"
        return Built(artefact=_kept(built), reason=reason, output=last_part(built.output))


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
        except (TestReportMissing, CommandTimedOut) as unreadable:
            return _unjudged(unreadable, _said(unreadable))
    output = last_part(run.output)
    try:
        report = parse_junit(run.junit)
    except JunitInvalid as unreadable:
        return _unjudged(unreadable, output)
    verdict = judge(report, run.exit_code)
    failed = [(test.name, test.message) for test in report.failed]
    return Tested(
        green=verdict.green, reason=verdict.reason, total=report.total, failed=failed, output=output
    )


def _unjudged(why: NakomingError, output: str) -> Tested:
    return Tested(green=False, reason=_shortened(str(why)), total=0, failed=[], output=output)


def _said(failed: NakomingError) -> str:
    return last_part(failed.data.get("output", ""))


def _folder() -> Path:
    folder = settings().artefacts_folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _kept(built: BuildResult) -> Artefact:
    """Move a built file to its place, whole or not at all; the same file a second time stays as it is.

    Raises:
        StorageFull: no room; nothing is left behind.
    """
    artefact = Artefact(
        revision=built.revision, version=built.version, sha256=built.sha256, file=built.artefact.name
    )
    if not artefact.path.exists():
        artefact.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _written(built.artefact, artefact.path)
        except OSError as failed:
            if failed.errno not in _NO_ROOM:
                raise
            reason = os.strerror(failed.errno)
            folder = settings().artefacts_folder
            raise StorageFull(name=artefact.file, folder=folder, reason=reason) from failed
    return artefact


def _written(source: Path, target: Path) -> None:
    """Copy a file to its place; what could not be finished is taken away, for it takes up room."""
    descriptor, temporary = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as copy, source.open("rb") as original:
            shutil.copyfileobj(original, copy)
            copy.flush()
            os.fsync(copy.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _shortened(text: str) -> str:
    return text if len(text) <= _REASON_LIMIT else f"{text[:_REASON_LIMIT]}…"
