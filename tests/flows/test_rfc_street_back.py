"""From build to production on bad days: what the vendor's commands do wrong, and what they said is kept."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from blocks.build_command import BuildCommand, TestCommand
from blocks.deploy_script import DeployScript
from demo.revisions import REPOSITORY
from flows.rfc_street import PROCESS
from nakoming.errors import NakomingError
from nakoming.records import cases, clock, evidence_check, failures, schema, steps
from nakoming.records.cases import State
from nakoming.records.owners import this_process
from tasks.deployment import Target
from tasks.process import run_process
from tasks.steps import digest, plain
from tests.harness.street import CUSTOMER, accepted_beta, agreed_until_build, beta_installed, service, street
from tests.harness.vendor import ROOT, VARIABLES

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.installation import Walker

SECRET = "tr0ub4dor-and-3"
# The vendor's script, which does wrong what the file beside it says: actions and how.
SCRIPT = """
import os, pathlib, subprocess, sys, time
action = sys.argv[1]
wrong = pathlib.Path(__file__).with_suffix(".wrong")
told, how = wrong.read_text().split() if wrong.exists() else ("", "")
print(f"{action} with {os.environ['TOKEN']}", flush=True)
if action in told.split(",") and how == "hangs":
    time.sleep(600)
if told == action and how == "fails":
    sys.exit("the disk of this machine is worn")
did = "status" if told == action and how == "idles" else action
sys.exit(subprocess.run([sys.executable, "-m", "demo.deploy", did, *sys.argv[2:]], check=False).returncode)
"""


@pytest.fixture
def scripts(vendor: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the script of each environment, the same in both."""
    monkeypatch.setenv("VENDOR_TOKEN", SECRET)
    for environment in ("acceptance", "production"):
        file = vendor / f"{environment}.py"
        file.write_text(SCRIPT, encoding="utf-8")
        block = DeployScript.load(f"{CUSTOMER}-{environment}")
        changed = {
            "command": [sys.executable, str(file), *block.command[3:]],
            "script": file,
            "secret_variables": {"TOKEN": "env:VENDOR_TOKEN"},
            "health_timeout": timedelta(seconds=3),
        }
        DeployScript(**(block.model_dump() | changed)).save(f"{CUSTOMER}-{environment}", overwrite=True)
    return vendor


def goes_wrong(scripts: Path, environment: str, action: str, how: str) -> None:
    """From now on, until the file is taken away."""
    (scripts / f"{environment}.wrong").write_text(f"{action} {how}")
    if how == "hangs":
        allow(environment, timedelta(seconds=1))


def allow(environment: str, timeout: timedelta) -> None:
    """Let a run of the script take so long."""
    block = DeployScript.load(f"{CUSTOMER}-{environment}")
    changed = block.model_dump() | {"timeout": timeout}
    DeployScript(**changed).save(f"{CUSTOMER}-{environment}", overwrite=True)


def why_again(walker: Walker, number: int) -> str:
    """What the builder is told; nothing else is asked."""
    name = f"build/{number}/revision"
    assert [gate.name for gate in walker.open_gates()] == [name]
    return str(dict(walker.gate(name).question.texts["nl"]["about"])["Waarom opnieuw"])


def outputs(walker: Walker) -> dict[str, Any]:
    """What the finished steps left."""
    with walker.records.read() as tx:
        found = steps.finished(tx, walker.case.id, CUSTOMER)
    return {name: output for name, (_, output) in found.items()}


def stuck_after_five(walker: Walker, sentence: str) -> None:
    """Each run fails with one sentence; after five of them the operators are told."""
    for _ in range(5):
        fails_once(walker, sentence)
    assert walker.case.state == State.STUCK
    told = [mail for mail in walker.mails("operators") if mail.context["trouble"] == "case_stuck"]
    assert len(told) == 1
    assert sentence[:40] in str(told[0].context["details"])


def fails_once(walker: Walker, sentence: str) -> None:
    """A run fails with a sentence, and the time of the next has come."""
    with pytest.raises(NakomingError) as failed:
        run_process(PROCESS, customer=CUSTOMER, subject=walker.subject, parameters=walker.parameters)
    assert sentence in str(failed.value)
    with walker.records.write() as tx:
        clock.move(tx.connection, timedelta(minutes=15))


def goes_on(walker: Walker) -> None:
    """An operator has mended it and lets the case run again."""
    with walker.records.write() as tx:
        failures.resume(tx, walker.case.id, "an operator")
    walker.enter()


def artefact(folder: Path, revision: str) -> tuple[Path, str]:
    """An artefact that the vendor built outside the street."""
    built = BuildCommand.load("suite").build(revision, out=folder)
    return built.artefact, built.sha256


def test_another_version_on_production_sends_the_beta_back_to_build(
    scripts: Path, records: Records, tmp_path: Path
) -> None:
    walker = street(records)
    accepted_beta(walker)
    file, sha256 = artefact(tmp_path / "other", "1.1-rc1")
    production = DeployScript.load(f"{CUSTOMER}-production")
    production.install(file, sha256=sha256, customer=CUSTOMER, environment="production")
    walker.enter()
    why = why_again(walker, 2)
    assert why.startswith("Production holds another version than this one was built on: ")
    assert why.endswith(" in place of 1.0.0.")
    assert "production/1/install" not in walker.step_names()
    assert service(scripts, "production", "/version")["sha256"] == sha256


@pytest.mark.clause("S-2.6.3")
def test_a_script_that_changed_since_the_beta_installs_nothing_on_production(
    scripts: Path, records: Records
) -> None:
    walker = street(records)
    accepted_beta(walker)
    (scripts / "production.py").write_text(f"{SCRIPT}# faster now\n", encoding="utf-8")
    walker.enter()
    assert "is not the one that installed the beta" in why_again(walker, 2)
    assert "production/1/install" not in walker.step_names()
    assert service(scripts, "production", "/version")["version"] == "1.0.0"
    (told,) = walker.mails("operators")
    assert told.context["trouble"] == "script_changed"
    # The beta is made anew with the script of now, and that one may go on.
    (scripts / "acceptance.py").write_text(f"{SCRIPT}# faster now\n", encoding="utf-8")
    walker.deliver("build/2/revision", revision="1.1")
    walker.enter()
    walker.answer("acceptance/2/approval", "approve")
    walker.enter()
    assert service(scripts, "production", "/version")["version"] == "1.1.0"
    assert len(walker.mails("operators")) == 1


def test_a_case_that_an_earlier_version_left_before_the_installation_goes_on(
    scripts: Path, records: Records
) -> None:
    """It had looked at production without the digest of the script, and kept no output of the beta."""
    walker = street(records)
    accepted_beta(walker)
    earlier = outputs(walker)
    beta = {
        name: value
        for name, value in earlier["beta/1/install"].items()
        if name not in {"output", "exit_code"}
    }
    looked = {name: earlier["beta/1/production"][name] for name in ("sha256", "version", "url")}
    where = Target(block=f"{CUSTOMER}-production", customer=CUSTOMER, environment="production")
    with records.write() as tx:
        s, case_id = schema.steps, walker.case.id
        sealed = tx.seal(CUSTOMER, f"step/{case_id}/beta/1/install", beta)
        of_beta = update(s).where(s.c.case_id == case_id, s.c.name == "beta/1/install")
        tx.connection.execute(of_beta.values(output_sealed=sealed))
        lease = cases.acquire(tx, case_id, this_process())
        given, digested = digest(plain({"target": where})), digest(looked)
        steps.record(tx, lease, "production/1/1/look", given, looked, output_digest=digested)
        cases.wait(tx, lease, [])
    (scripts / "production.py").write_text(f"{SCRIPT}# faster now\n", encoding="utf-8")
    walker.enter()
    assert service(scripts, "production", "/version")["version"] == "1.1.0"


def test_what_the_commands_said_is_kept_without_their_secrets(scripts: Path, records: Records) -> None:
    walker = street(records)
    accepted_beta(walker)
    goes_wrong(scripts, "production", "install", "fails")
    walker.enter()
    kept = outputs(walker)
    assert '"sha256"' in kept["build/1/artefact"]["output"]
    assert "passed" in kept["test/1/run"]["output"]
    done = {"beta/1/install": 0, "production/1/install": 1, "production/1/rollback": 0}
    assert {name: kept[name]["exit_code"] for name in done} == done
    assert "install with" in kept["beta/1/install"]["output"]
    assert "the disk of this machine is worn" in kept["production/1/install"]["output"]
    assert "rollback with" in kept["production/1/rollback"]["output"]
    assert SECRET not in json.dumps(kept)
    assert SECRET not in json.dumps([mail.context for mail in walker.mails()])
    assert [found for found in evidence_check.verify(records) if found.is_damage] == []


@pytest.mark.parametrize("kind", [BuildCommand, pytest.param(TestCommand, marks=pytest.mark.long)])
def test_a_command_that_is_missing_stops_the_case_until_it_is_there(
    vendor: Path, records: Records, kind: type[BuildCommand | TestCommand]
) -> None:
    walker = street(records)
    agreed_until_build(walker)
    walker.deliver("build/1/revision", revision="1.1")
    block = kind.load("suite")
    gone = vendor / "not-there"
    kind(**(block.model_dump() | {"command": [str(gone), *block.command[1:]]})).save("suite", overwrite=True)
    stuck_after_five(walker, f"Command '{gone}' was not found")
    kind(**block.model_dump()).save("suite", overwrite=True)
    goes_on(walker)
    assert [gate.name for gate in walker.open_gates()] == ["acceptance/1/approval"]


def test_a_build_that_hangs_is_ended_and_goes_back(vendor: Path, records: Records) -> None:
    del vendor
    command = [sys.executable, "-c", "import time; print('compiling', flush=True); time.sleep(600)"]
    BuildCommand(command=[*command, "{revision}", "{out}"], timeout=timedelta(seconds=1)).save(
        "suite", overwrite=True
    )
    walker = street(records)
    agreed_until_build(walker)
    beta_installed(walker)
    assert why_again(walker, 2) == (
        f"1.1: Command '{sys.executable}' was ended because it took longer than 1 s. Its last line: compiling"
    )
    assert outputs(walker)["build/1/artefact"]["output"] == "compiling\n"
    mended = [sys.executable, "-m", "demo.build", "--revision={revision}", "--out={out}"]
    BuildCommand(command=mended, working_folder=ROOT, environment_variables=VARIABLES).save(
        "suite", overwrite=True
    )
    walker.deliver("build/2/revision", revision="1.1")
    walker.enter()
    assert [gate.name for gate in walker.open_gates()] == ["acceptance/2/approval"]


@pytest.mark.parametrize("environment", [pytest.param("acceptance", marks=pytest.mark.long), "production"])
def test_a_deploy_script_that_is_missing_stops_the_case_until_it_is_there(
    scripts: Path, records: Records, environment: str
) -> None:
    walker = street(records)
    if environment == "production":
        accepted_beta(walker)
    else:
        agreed_until_build(walker)
        walker.deliver("build/1/revision", revision="1.1")
    script = scripts / f"{environment}.py"
    script.rename(scripts / "away.py")
    stuck_after_five(walker, f"The deploy script {script} cannot be read: No such file or directory.")
    (scripts / "away.py").rename(script)
    goes_on(walker)
    asked = {"acceptance": "acceptance/1/approval", "production": "closing/delivery"}
    assert [gate.name for gate in walker.open_gates()] == [asked[environment]]


@pytest.mark.parametrize(
    ("how", "said"), [("hangs", "took longer than 1 s"), ("fails", "the disk of this machine is worn")]
)
def test_a_beta_that_cannot_be_installed_goes_back_with_what_the_script_said(
    scripts: Path, records: Records, how: str, said: str
) -> None:
    walker = street(records)
    agreed_until_build(walker)
    goes_wrong(scripts, "acceptance", "install", how)
    beta_installed(walker)
    why = why_again(walker, 2)
    assert why.startswith("The beta could not be installed on acceptance. Command ")
    assert said in why
    assert walker.mails("operators") == []


def test_a_deploy_script_that_hangs_on_production_is_ended_and_rolled_back(
    scripts: Path, records: Records
) -> None:
    walker = street(records)
    accepted_beta(walker)
    goes_wrong(scripts, "production", "install,rollback", "hangs")
    fails_once(walker, "took longer than 1 s")
    (scripts / "production.wrong").unlink()
    allow("production", timedelta(minutes=2))
    walker.enter()
    assert "took longer than 1 s" in why_again(walker, 2)
    assert outputs(walker)["production/1/rollback"]["version"] == "1.0.0"
    (told,) = walker.mails("operators")
    assert told.context["trouble"] == "rolled_back"


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("fails", "the disk of this machine is worn"),
        pytest.param("idles", "9.9.9", marks=pytest.mark.long),
    ],
)
def test_a_rollback_that_does_not_bring_back_what_was_there_is_stuck_until_it_does(
    scripts: Path, records: Records, how: str, sentence: str
) -> None:
    lies_on_production(scripts)
    walker = street(records)
    agreed_until_build(walker)
    walker.deliver("build/1/revision", revision="lies")
    walker.enter()
    walker.answer("acceptance/1/approval", "approve")
    goes_wrong(scripts, "production", "rollback", how)
    stuck_after_five(walker, sentence)
    assert walker.open_gates() == []
    (scripts / "production.wrong").unlink()
    goes_on(walker)
    assert "9.9.9" in why_again(walker, 2)
    assert service(scripts, "production", "/version")["version"] == "1.0.0"


def test_a_release_that_lies_about_its_version_on_production_is_rolled_back(
    scripts: Path, records: Records
) -> None:
    lies_on_production(scripts)
    walker = street(records)
    agreed_until_build(walker)
    walker.deliver("build/1/revision", revision="lies")
    walker.enter()
    walker.answer("acceptance/1/approval", "approve")
    walker.enter()
    why = why_again(walker, 2)
    assert why.startswith("The installation on production failed: ")
    assert "9.9.9" in why
    assert service(scripts, "production", "/version")["version"] == "1.0.0"
    (told,) = walker.mails("operators")
    assert told.context["trouble"] == "rolled_back"


def lies_on_production(root: Path) -> None:
    """The vendor has a revision that calls itself otherwise on production."""
    source = root / "repository"
    shutil.copytree(REPOSITORY, source)
    text = (REPOSITORY / "base" / "suite" / "release.py").read_text("utf-8")
    lie = "('9.9.9' if '/production/' in __file__ else built[\"version\"])"
    assert 'built["version"]' in text
    changed = source / "changes" / "lies" / "suite" / "release.py"
    changed.parent.mkdir(parents=True)
    changed.write_text(text.replace('built["version"]', lie), encoding="utf-8")
    description = 'parent = "1.1"\nversion = "1.1.1"\nsummary = "A release that lies"\n'
    (source / "changes" / "lies" / "revision.toml").write_text(description, encoding="utf-8")
    block = BuildCommand.load("suite")
    BuildCommand(**(block.model_dump() | {"command": [*block.command, f"--source={source}"]})).save(
        "suite", overwrite=True
    )
