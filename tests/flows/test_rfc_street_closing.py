"""Closing: nothing ends without documentation, and the customer learns where the evidence of it stands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from flows.rfc import closing
from flows.rfc.request import request_of
from flows.rfc_street import PROCESS
from nakoming.records import documents, proofs
from nakoming.records.events import Event
from tasks.artefacts import Artefact
from tasks.postman.composing import compose
from tests.harness.street import street

if TYPE_CHECKING:
    from nakoming.records.store import Records
    from tasks.case_run import CaseRun

LIVE = Artefact(revision="1.1", version="1.1.0", sha256="a" * 64, file="suite.tar.gz")


def only_closing(case: CaseRun) -> str:
    closing.closed(case, request_of(case), LIVE)
    return "in production"


@pytest.mark.clause("S-2.2.22")
def test_the_end_is_told_with_its_documents_and_its_place_in_the_evidence(records: Records) -> None:
    walker = street(records)
    walker.process = replace(PROCESS, walk=only_closing)
    assert walker.enter() is None
    walker.deliver("closing/delivery", "Handleiding", description="Orders hebben een spoedcode.")
    assert walker.enter() == "in production"
    told = walker.mails("closed")
    assert {mail.recipient.person for mail in told} == {"brouwer:joost-smit", "brouwer:mila-de-wit"}
    with records.read() as tx:
        proof = proofs.find_of_case(tx, walker.case.id, Event.RFC_CLOSED)
        message, head = compose(tx, told[0], portal_url="https://portal.sps.example", sender="a@sps.example")
        paper = documents.get(tx, "brouwer", told[0].context["documents"][0])
    assert proof is not None
    assert head is not None
    assert (head.seq, head.leaf) == (proof.seq, proof.leaf)
    assert message["Subject"] == "Afgesloten: aanvraag 2026-014 “Spoedcode op orders”"
    part = message.get_body(("plain",))
    assert part is not None
    text = " ".join(part.get_content().split())
    for words in ("In productie (versie 1.1.0)", "Orders hebben een spoedcode.", paper.sha256, proof.leaf):
        assert words in text
