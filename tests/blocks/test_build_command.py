"""The vendor's build and test commands, run for real."""

from __future__ import annotations

import hashlib
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from blocks.build_command import BuildCommand, BuildResultWrong, TestCommand, TestReportMissing
from blocks.command_result import CommandFailed, CommandMissing, CommandTimedOut
from blocks.command_template import ArtefactChanged, ReportInvalid, ValueRefused

if TYPE_CHECKING:
    from pathlib import Path

BUILD = """
import hashlib, json, pathlib, sys
revision, out = sys.argv[1], pathlib.Path(sys.argv[2])
artefact = out / f"suite-{revision}.tar"
artefact.write_bytes(b"built from " + revision.encode())
facts = {"path": str(artefact), "sha256": hashlib.sha256(artefact.read_bytes()).hexdigest(),
         "version": "1.1", "revision": revision}
%s
print("building", file=sys.stderr)
print(json.dumps(facts))
"""


def builder(change: str = "") -> BuildCommand:
    return BuildCommand(
        command=[
            sys.executable,
            "-c",
            (BUILD % change).replace("{", "{{").replace("}", "}}"),
            "{revision}",
            "{out}",
        ]
    )


def test_a_build_is_read_again(tmp_path: Path) -> None:
    built = builder().build("1.1-rc1", out=tmp_path / "new" / "folder")
    assert built.artefact.read_bytes() == b"built from 1.1-rc1"
    assert built.sha256 == hashlib.sha256(built.artefact.read_bytes()).hexdigest()
    assert (built.version, built.revision) == ("1.1", "1.1-rc1")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("facts['sha256'] = '0' * 64", "holds SHA-256"),
        ("facts['revision'] = 'other'", "it says it is revision other"),
        ("facts['path'] = '/etc/hostname'", "lies outside"),
        ("facts['path'] = str(out / '..' / 'x')", "lies outside"),
        ("artefact.unlink()", "missing or empty"),
        ("artefact.write_bytes(b'')", "missing or empty"),
        ("artefact.unlink(); artefact.symlink_to('/etc/hostname')", "lies outside"),
    ],
)
def test_a_build_that_does_not_hold_what_it_says(tmp_path: Path, change: str, reason: str) -> None:
    with pytest.raises(BuildResultWrong, match=reason):
        builder(change).build("1.1", out=tmp_path / "out")


def test_a_build_that_fails_or_is_mute_or_hangs(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="exit code 4"):
        builder("sys.exit(4)").build("1.1", out=tmp_path)
    with pytest.raises(ReportInvalid):
        builder("sys.exit(0)").build("1.1", out=tmp_path)
    slow = builder("import time; time.sleep(600)").model_copy(update={"timeout": timedelta(seconds=0.5)})
    with pytest.raises(CommandTimedOut):
        slow.build("1.1", out=tmp_path)


@pytest.mark.parametrize("revision", ["--out=/", "", "../x", "a b"])
def test_a_revision_that_is_no_name(tmp_path: Path, revision: str) -> None:
    with pytest.raises(ValueRefused):
        builder().build(revision, out=tmp_path)


def test_a_missing_program_is_found_by_check() -> None:
    with pytest.raises(CommandMissing):
        BuildCommand(command=["no-such-tool", "{revision}", "{out}"]).check()
    assert builder().check()[0].startswith("The command ")


def test_commands_without_their_places_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"\{out\} does not appear"):
        BuildCommand(command=["make", "{revision}"])
    with pytest.raises(ValidationError, match=r"\{junit\} does not appear"):
        TestCommand(command=["make", "{artefact}"])


def command_of(script: str) -> TestCommand:
    return TestCommand(command=["sh", "-c", script, "sh", "{artefact}", "{junit}"])


def test_a_red_run_returns_its_report(tmp_path: Path) -> None:
    artefact = tmp_path / "suite.tar"
    artefact.write_bytes(b"x")
    sha256 = hashlib.sha256(b"x").hexdigest()
    run = command_of('cat "$1"; echo "<testsuite/>" >"$2"; exit 1').test(
        artefact, sha256=sha256, junit=tmp_path / "new" / "junit.xml"
    )
    assert (run.exit_code, run.junit, run.output) == (1, b"<testsuite/>\n", "x")


def test_an_old_report_does_not_count(tmp_path: Path) -> None:
    artefact = tmp_path / "suite.tar"
    artefact.write_bytes(b"x")
    junit = tmp_path / "junit.xml"
    junit.write_text("<testsuite/>")
    with pytest.raises(TestReportMissing, match="exit code 0 and left no JUnit report"):
        command_of("exit 0").test(artefact, sha256=hashlib.sha256(b"x").hexdigest(), junit=junit)
    with pytest.raises(ArtefactChanged):
        command_of("exit 0").test(artefact, sha256="0" * 64, junit=junit)
