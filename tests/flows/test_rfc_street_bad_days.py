"""Wrong input and bad days of the street: one clear sentence, nothing lost, and the right people told."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from blocks.build_command import BuildCommand
from demo.revisions import REPOSITORY
from flows.rfc_street import PROCESS
from nakoming.agreement.errors import NobodyAuthorisedError
from nakoming.records import cases, clock
from nakoming.records.cases import State
from nakoming.records.errors import CaseClosed, DocumentMissing, UnknownAgreement
from tasks.process import Process, run_process
from tasks.steps import CleanFailure, Work, repeat, step
from tests.harness.installation import Walker
from tests.harness.street import GIVEN, agreed_until_build, judged, service, street

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.records.store import Records
    from tasks.case_run import CaseRun
    from tests.harness.prefect_server import PrefectServer


def test_an_unknown_customer_is_named_with_those_that_are_known(records: Records) -> None:
    del records
    with pytest.raises(UnknownAgreement) as refused:
        run_process(PROCESS, customer="acme", subject="1", parameters=GIVEN)
    assert str(refused.value) == (
        "There is no agreement of customer 'acme'; known customers: brouwer, fenwick, kestrel."
    )


def test_a_document_of_another_customer_is_not_taken(records: Records) -> None:
    walker = Walker(records, PROCESS, "fenwick", "1", GIVEN)
    document = walker.document("analysis.md", "theirs")
    ours = street(records, documents=[document])
    with pytest.raises(DocumentMissing, match=f"There is no document {document} of customer brouwer"):
        ours.enter()


def test_a_requester_without_that_role_is_asked_about(records: Records) -> None:
    """Anneke manages the customer, but is not one of those who may report."""
    walker = street(records, requester="anneke.brouwer@brouwer-plaatwerk.example")
    walker.enter()
    assert [gate.name for gate in walker.open_gates()] == ["intake/confirmation"]


def test_a_role_that_nobody_holds_stops_the_case_with_advice(records: Records) -> None:
    walker = street(records)
    agreed_until_quote(walker)
    with records.write() as tx:
        from nakoming.records import agreements

        text, _ = agreements._body(tx, "vendor", None)
        changed = text.replace("roles: [tester, release_manager]", "roles: [tester]")
        agreements.store(tx, "vendor", changed, "0" * 64)
    with pytest.raises(NobodyAuthorisedError, match="release_manager"):
        walker.enter()


def agreed_until_quote(walker: Walker) -> None:
    judged(walker)
    walker.deliver("quote/delivery", amount="10.00")
    walker.enter()
    walker.answer("quote/approval", "approve")


@step(doubt=repeat("it does nothing"), timeout=timedelta(seconds=1))
def always_raises(work: Work) -> str:
    """Fail, in every attempt."""
    raise CleanFailure(reason=f"attempt {work.attempt} cannot work")


def fails(case: CaseRun) -> str:
    return case.do("stage/1/effect", always_raises)


def test_a_step_that_always_raises_is_stuck_after_five_attempts_and_mailed(
    records: Records, prefect_api: PrefectServer
) -> None:
    del prefect_api
    process = Process(kind="rfc", revision=1, walk=fails)
    for attempt in range(1, 6):
        with pytest.raises(CleanFailure, match=f"attempt {attempt} cannot work"):
            run_process(process, customer="brouwer", subject="stuck", parameters=GIVEN)
        with records.write() as tx:
            clock.move(tx.connection, timedelta(minutes=15))
    walker = Walker(records, process, "brouwer", "stuck", GIVEN)
    assert walker.case.state == State.STUCK
    (told,) = walker.mails("operators")
    assert told.recipient.email == "operators@sps.example"
    assert told.context["happened"] == (
        "rfc/brouwer/stuck is vijf keer mislukt en wordt niet meer vanzelf geprobeerd."
    )


def test_a_case_that_ended_is_joined_and_says_how(records: Records, prefect_api: PrefectServer) -> None:
    del prefect_api
    process = Process(kind="rfc", revision=1, walk=lambda _: "done")
    run_process(process, customer="brouwer", subject="twice", parameters=GIVEN)
    again = run_process(process, customer="brouwer", subject="twice", parameters=GIVEN | {"title": "Anders"})
    assert again.message == (
        "Joined: rfc/brouwer/twice has ended (done). "
        "The case keeps its own title; what was given now differs."
    )
    walker = Walker(records, process, "brouwer", "twice", GIVEN)
    with records.write() as tx, pytest.raises(CaseClosed):
        cases.acquire(tx, walker.case.id, "somebody/1/1/1")


def test_a_revision_that_does_not_build_goes_back_with_the_reason(vendor: Path, records: Records) -> None:
    del vendor
    walker = street(records)
    agreed_until_build(walker)
    walker.deliver("build/1/revision", revision="9.9")
    walker.enter()
    why = dict(walker.gate("build/2/revision").question.texts["nl"]["about"])["Waarom opnieuw"]
    assert "9.9" in why
    assert "exit code 2" in why


def test_a_release_that_lies_about_its_version_goes_back_before_anybody_accepts(
    vendor: Path, records: Records, tmp_path: Path
) -> None:
    lying = tmp_path / "repository"
    shutil.copytree(REPOSITORY, lying)
    text = (REPOSITORY / "base" / "suite" / "release.py").read_text("utf-8")
    changed = lying / "changes" / "lies" / "suite" / "release.py"
    changed.parent.mkdir(parents=True)
    changed.write_text(text.replace('built["version"]', "'9.9.9'"), encoding="utf-8")
    description = 'parent = "1.1"\nversion = "1.1.1"\nsummary = "A release that lies"\n'
    (lying / "changes" / "lies" / "revision.toml").write_text(description, encoding="utf-8")
    command = BuildCommand.load("suite")
    source = BuildCommand(**(command.model_dump() | {"command": [*command.command, f"--source={lying}"]}))
    source.save("suite", overwrite=True)
    walker = street(records)
    agreed_until_build(walker)
    walker.deliver("build/1/revision", revision="lies")
    walker.enter()
    (gate,) = walker.open_gates()
    assert gate.name == "build/2/revision"
    assert service(vendor, "production", "/version")["version"] == "1.0.0"
