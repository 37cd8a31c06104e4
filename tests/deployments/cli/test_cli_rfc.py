"""`nakoming rfc`: a request is started in Prefect; a generic one is planned for another release."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client

from flows.rfc_street import rfc_street
from nakoming.records import case_facts, clock, documents, failures
from tests.deployments.cli.conftest import KEY, judged, released

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.deployments.cli.conftest import Ended
    from tests.harness.installation import Walker
    from tests.harness.prefect_server import PrefectServer

JOOST = "joost.smit@brouwer-plaatwerk.example"
START = ("rfc", "start", "brouwer", "2026-020", "--title", "Spoedcode", "--requester", JOOST)


@pytest.fixture
def deployed(prefect_api: PrefectServer) -> Iterator[PrefectServer]:
    """The street as a deployment that nobody works on, so that its runs stay as they were made."""
    with get_client(sync_client=True) as prefect:
        flow = prefect.create_flow_from_name(rfc_street.name)
        deployment = prefect.create_deployment(
            flow_id=flow,
            name="rfc-street",
            parameter_openapi_schema=rfc_street.parameters.model_dump(),
            enforce_parameter_schema=True,
        )
        yield prefect_api
        prefect.delete_deployment(deployment)


def run_of(data: dict[str, Any]) -> Any:
    with get_client(sync_client=True) as prefect:
        return prefect.read_flow_run(UUID(data["run_id"]))


def test_a_request_becomes_a_run_with_its_documents(
    deployed: PrefectServer, records: Records, nakoming: Callable[..., Ended], tmp_path: Path
) -> None:
    paper = tmp_path / "wens.md"
    paper.write_text("Een spoedcode.", encoding="utf-8")
    stored = documents.add(records, "brouwer", "eerder.txt", b"Eerder.", by="test")
    data = nakoming(*START, "--document", paper, "--document", stored.id, "--json").data
    run = run_of(data)
    assert run.parameters == {
        "customer": "brouwer",
        "reference": "2026-020",
        "title": "Spoedcode",
        "requester": JOOST,
        "kind": "rfc",
        "description": "",
        "documents": data["documents"],
    } | {name: run.parameters[name] for name in run.parameters if name.endswith("_command")}
    assert data["documents"][1] == stored.id
    with records.read() as tx:
        assert documents.get(tx, "brouwer", data["documents"][0]).name == "wens.md"
    assert data["key"] == "rfc/brouwer/2026-020"
    assert data["joined"] is False
    assert data["url"] == f"{deployed.api_url.removesuffix('/api')}/runs/flow-run/{run.id}"


@pytest.mark.usefixtures("deployed")
def test_a_reference_that_is_there_is_joined(street: Walker, nakoming: Callable[..., Ended]) -> None:
    del street
    words = ("rfc", "start", "brouwer", "2026-014", "--title", "X", "--requester", JOOST)
    ended = nakoming(*words)
    assert ended.status == 0, ended.err
    assert ended.out.endswith(
        "That case is there already: the run joins it, and what the case holds stands.\n"
    )


@pytest.mark.usefixtures("deployed")
def test_what_the_form_refuses_the_command_refuses_in_a_sentence(
    records: Records, nakoming: Callable[..., Ended], tmp_path: Path
) -> None:
    form = "its form is ^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$"
    sentences = {
        ("brouwer", "2026 014", "X"): (
            f"The request cannot be started: reference '2026 014' is not allowed; {form}. [NK7159]\n"
        ),
        ("brouwer", "2026-020", "x" * 201): (
            "The request cannot be started: title has 201 characters; allowed: at most 200. [NK7159]\n"
        ),
        ("brouwer", "2026-020", " "): (
            "The request cannot be started: title is empty; something must be said. [NK7159]\n"
        ),
        ("acme", "2026-020", "X"): (
            "There is no agreement of customer 'acme'; known customers: brouwer, fenwick, kestrel. [NK2018]\n"
        ),
    }
    for (customer, reference, title), sentence in sentences.items():
        words = ("rfc", "start", customer, reference, "--title", title, "--requester", JOOST)
        assert nakoming(*words).err == sentence
    paper = tmp_path / "wens.md"
    paper.write_text("Een spoedcode.", encoding="utf-8")
    foreign = documents.add(records, "kestrel", "theirs.txt", b"Theirs.", by="test")
    refused = nakoming(*START, "--document", paper, "--document", foreign.id)
    assert refused.err == f"There is no document {foreign.id} of customer brouwer. [NK2012]\n"
    with records.read() as tx:
        assert documents.listed(tx, "brouwer") == []


@pytest.mark.usefixtures("prefect_api", "records")
def test_a_server_without_the_street_says_what_to_do(
    prefect_server: PrefectServer, nakoming: Callable[..., Ended]
) -> None:
    assert nakoming(*START).err == (
        f"The Prefect server at {prefect_server.api_url} has no deployment rfc-street/rfc-street; "
        "`nakoming up` makes it, or `prefect deploy --all`. [NK7162]\n"
    )


@pytest.mark.usefixtures("records")
def test_without_a_server_there_is_no_run(nakoming: Callable[..., Ended]) -> None:
    assert nakoming(*START).err == (
        "No Prefect server is known: start the system with `nakoming up`, or set PREFECT_API_URL to the "
        "server's address, such as http://127.0.0.1:4200/api. [NK7160]\n"
    )


def at(records: Records, *instant: int) -> None:
    with records.write() as tx:
        clock.set_to(tx.connection, datetime(*instant, tzinfo=UTC))  # type: ignore[misc]  # year, month, day …


def test_another_release_is_told_to_the_customer_and_proven(
    street: Walker, nakoming: Callable[..., Ended]
) -> None:
    at(street.records, 2026, 11, 23, 9)
    released(street)
    words = ("rfc", "plan", KEY, "2027.04", "--reason", "De test duurt langer.", "--by", "Noor")
    data = nakoming(*words, "--json").data
    assert data == {"key": KEY, "release": "2027.04", "before": "2027.03", "told": ["brouwer:joost-smit"]}
    with street.records.read() as tx:
        assert case_facts.get(tx, street.case.id, "brouwer", "release") == "2027.04"
    told = street.mails("notice")[-1]
    assert told.context == {
        "title": "2026-014 komt nu in release 2027.04",
        "paragraphs": [
            (
                "De planning van uw aanvraag “Spoedcode op orders” is gewijzigd: "
                "zij komt in release 2027.04 in plaats van 2027.03."
            ),
            "Reden: De test duurt langer.",
        ],
    }
    items = nakoming("case", "show", KEY, "--json").data["timeline"]
    proof = [item for item in items if item["name"] == "rfc:release:planned"][-1]
    shown = nakoming("evidence", "show", *proof["evidence"].split(":"), "--json").data
    assert shown["clause"] == "S-2.3.6"
    assert shown["payload"] == {
        "release": "2027.04",
        "before": "2027.03",
        "by": "Noor",
        "reason": "De test duurt langer.",
    }
    back = nakoming("rfc", "plan", KEY, "2027.03")
    assert back.out.startswith(f"{KEY} comes in release 2027.03 instead of 2027.04.\n")
    assert len(street.mails("notice")[-1].context["paragraphs"]) == 1


def test_what_cannot_be_planned_says_why(street: Walker, nakoming: Callable[..., Ended]) -> None:
    at(street.records, 2026, 11, 23, 9)

    def refused(release: str = "2027.04") -> str:
        return nakoming("rfc", "plan", KEY, release).err

    assert refused() == f"{KEY} has no release to change: it is not judged yet. [NK7171]\n"
    judged(street)
    why = "it was judged generic, but its first release is not chosen yet"
    assert refused() == f"{KEY} has no release to change: {why}. [NK7171]\n"
    street.deliver("judgement/release", release="2027.03")
    street.enter()
    allowed = "allowed: year.month, such as 2027.03, from 2026.11 on"
    for wrong in ("2027.13", "2026.10", "spring", "2027.4"):
        assert refused(wrong) == f"'{wrong}' is no release; {allowed}. [NK7170]\n"
    assert refused("2027.03") == f"{KEY} is planned for release 2027.03 already. [NK7172]\n"
    with street.records.write() as tx:
        failures.withdraw(tx, street.case.id, "test", "klaar")
    assert refused() == f"Case {KEY} ended (withdrawn) and takes no further work. [NK2019]\n"
    assert nakoming("rfc", "plan", "rfc/brouwer/none", "2027.04").status == 4


def test_a_specific_request_has_no_release(street: Walker, nakoming: Callable[..., Ended]) -> None:
    judged(street, "specific")
    assert nakoming("rfc", "plan", KEY, "2099.01").err == (
        f"{KEY} has no release to change: it was judged specific, and has a date agreed with the customer. "
        "[NK7171]\n"
    )
