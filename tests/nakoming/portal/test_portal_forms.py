"""Facts, remarks and uploads: what is taken, what comes back with a reason; nothing typed is lost."""

from __future__ import annotations

import hashlib
import html
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from nakoming.agreement.gate_rules import Kind
from nakoming.portal.forms import MEBIBYTE
from nakoming.records import answers, documents
from nakoming.records.gate_model import Field, Question
from tests.harness.portal_server import (
    ANNA,
    PDF,
    QUOTE_FIELDS,
    TEXTS,
    Office,
    Visitor,
    evidence_events,
    filled_in,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nakoming.records.gate_model import AnswerRecord, Gate

GOOD = {"fact-amount": "1.250,00", "fact-valid_until": "31-01-2027"}
LIMIT = 200_000  # bytes, of the office below


@pytest.fixture
def base(on_sqlite: Office) -> Iterator[str]:
    with serving(on_sqlite) as address:
        yield address


def quote(at: Office, fewest: int = 1, most: int = 2) -> Gate:
    """An officer is asked for an amount, a date and a document."""
    question = Question(
        texts=TEXTS, fields=QUOTE_FIELDS, documents=(fewest, most), remark_required=("refuse",)
    )
    return at.ask(kind=Kind.DELIVERY, contacts=(ANNA,), question=question, document=None)


def given(at: Office, gate: Gate) -> list[AnswerRecord]:
    with at.records.read() as tx:
        return answers.of_gate(tx, gate.id)


def sent(*files: tuple[str, bytes]) -> list[tuple[str, Any]]:
    return [("upload", (name, content, "application/octet-stream")) for name, content in files]


def sentences(page: str) -> list[str]:
    """What the summary says is to be put right."""
    summary = page.partition('class="summary"')[2].partition("</div>")[0]
    return [html.unescape(text) for text in re.findall(r'<a href="#[\w-]+">([^<]*)</a>', summary)]


def test_delivery_brings_facts_and_documents(on_sqlite: Office, base: str) -> None:
    gate = quote(on_sqlite)
    receipt = Visitor(base, on_sqlite.path(gate)).send("deliver", files=sent(("Offerte.pdf", PDF)), **GOOD)
    assert receipt.status_code == 200
    answer = given(on_sqlite, gate)[0]
    assert answer.facts == {"amount": "1250.00", "valid_until": "2027-01-31"}
    with on_sqlite.records.read() as tx:
        document = documents.get(tx, "acme", answer.documents[0])
    assert (document.name, document.sha256) == ("Offerte.pdf", hashlib.sha256(PDF).hexdigest())
    assert document.stored_by == ANNA.person
    assert document.sha256[:12] in receipt.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"fact-amount": ""}, "Vul 'Bedrag excl. btw' in."),
        ({"fact-amount": "veel"}, "Vul bij 'Bedrag excl. btw' een bedrag in euro in, zoals 1250,00."),
        ({"fact-amount": "-5"}, "Vul bij 'Bedrag excl. btw' een bedrag in euro in, zoals 1250,00."),
        ({"fact-valid_until": "31/31/2027"}, "Vul bij 'Geldig tot en met' een datum in, zoals 31-01-2027."),
        ({"fact-valid_until": "2027-13-01"}, "Vul bij 'Geldig tot en met' een datum in, zoals 31-01-2027."),
        ({"fact-valid_until": "30-02-2027"}, "Vul bij 'Geldig tot en met' een datum in, zoals 31-01-2027."),
        ({"fact-why": "x" * 4001}, "'Waarom' is te lang: 4001 tekens, hoogstens 4000."),
        ({"remark": "x" * 4001}, "'Toelichting' is te lang: 4001 tekens, hoogstens 4000."),
        ({"answer": "refuse"}, "Licht toe waarom: bij dit antwoord is een toelichting nodig."),
    ],
)
def test_wrong_field_is_named_at_its_place_and_all_else_is_kept(
    on_sqlite: Office, base: str, fields: dict[str, str], said: str
) -> None:
    gate = quote(on_sqlite, fewest=0)
    visitor = Visitor(base, on_sqlite.path(gate))
    typed = GOOD | {"answer": "deliver", "fact-why": "Daarom."} | fields
    refused = visitor.client.post(visitor.path, data=filled_in(visitor.page) | typed)
    assert refused.status_code == 422
    assert sentences(refused.text) == [said]
    place = re.findall(r'<li><a href="#([\w-]+)"', refused.text)[0]
    assert f'aria-describedby="{place}-hint trouble-{place}-1"' in refused.text or (
        f'aria-describedby="trouble-{place}-1"' in refused.text
    )
    for kept in typed.values():
        assert html.escape(kept, quote=True).replace("&#x27;", "&#39;") in refused.text
    assert given(on_sqlite, gate) == []


@pytest.mark.parametrize("typed", ["0", "13", "1000", "veertien", "2026-01-31"])
def test_a_number_of_days_that_is_none_is_asked_for_again(on_sqlite: Office, base: str, typed: str) -> None:
    label = {"fields": {"validity": "Geldigheid"}}
    question = Question(
        texts={language: words | label for language, words in TEXTS.items()},
        fields=(Field(name="validity", kind="days", required=False, least=14),),
    )
    gate = on_sqlite.ask(kind=Kind.DELIVERY, contacts=(ANNA,), question=question, document=None)
    visitor = Visitor(base, on_sqlite.path(gate))
    refused = visitor.send("deliver", **{"fact-validity": typed})
    assert refused.status_code == 422
    assert sentences(refused.text) == [
        "Vul bij 'Geldigheid' een heel aantal dagen in, van 14 tot en met 999."
    ]
    visitor.page = refused.text
    assert visitor.send("deliver", **{"fact-validity": "14"}).status_code == 200
    assert given(on_sqlite, gate)[0].facts == {"validity": "14"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "Voeg minstens 1 document(en) toe."),
        ([("leeg.pdf", b"")], "'leeg.pdf' is leeg (0 bytes)."),
        ([("groot.pdf", PDF + b"x" * LIMIT)], "'groot.pdf' is te groot (195 kB); hoogstens 195 kB."),
        ([("a.pdf", PDF), ("b.pdf", PDF + b"b"), ("c.pdf", PDF + b"c")],
         "Voeg hoogstens 2 document(en) toe; u stuurde er 3."),
        ([("plan.pdf", b"MZ\x90\x00 a program")], "'plan.pdf' kan niet worden aangenomen"),
        ([("plan.exe", b"MZ\x90\x00 a program")], "'plan.exe' kan niet worden aangenomen"),
        ([("<b>.html", b"<script>alert(1)</script>")], "'<b>.html' kan niet worden aangenomen"),
    ],
)  # fmt: skip
def test_file_that_cannot_be_taken_is_named_and_what_was_typed_stays(
    on_sqlite: Office, base: str, files: list[tuple[str, bytes]], said: str
) -> None:
    gate = quote(on_sqlite)
    visitor = Visitor(base, on_sqlite.path(gate))
    refused = visitor.send("deliver", files=sent(*files) or None, remark="Bijgaand.", **GOOD)
    assert refused.status_code == 422
    assert [sentence[: len(said)] for sentence in sentences(refused.text)] == [said]
    assert "<b>.html" not in refused.text
    assert "Bijgaand." in refused.text
    assert "1.250,00" in refused.text
    assert given(on_sqlite, gate) == []
    assert "document:file:stored" not in evidence_events(on_sqlite)


def test_good_file_is_not_asked_for_again_when_a_field_is_wrong(on_sqlite: Office, base: str) -> None:
    gate = quote(on_sqlite)
    visitor = Visitor(base, on_sqlite.path(gate))
    refused = visitor.send("deliver", files=sent(("Offerte.pdf", PDF)), **(GOOD | {"fact-amount": ""}))
    assert refused.status_code == 422
    assert "Al ontvangen: Offerte.pdf (48 bytes)." in refused.text
    mark = re.search(r'name="kept" value="([^"]+)" checked', refused.text)
    assert mark
    visitor.page = refused.text
    forged = visitor.send("deliver", kept="0" * 32 + ".00", **GOOD)
    assert sentences(forged.text) == ["Voeg minstens 1 document(en) toe."]
    assert visitor.send("deliver", kept=mark[1], **GOOD).status_code == 200
    assert len(given(on_sqlite, gate)[0].documents) == 1


def test_upload_where_none_is_asked_is_refused(on_sqlite: Office, base: str) -> None:
    gate = on_sqlite.ask(document=None)
    visitor = Visitor(base, on_sqlite.path(gate))
    refused = visitor.send("approve", files=sent(("Offerte.pdf", PDF)))
    assert refused.status_code == 422
    assert given(on_sqlite, gate) == []


def test_body_far_over_the_limit_is_not_read_to_its_end(on_sqlite: Office, base: str) -> None:
    gate = quote(on_sqlite)
    visitor = Visitor(base, on_sqlite.path(gate))
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        yield b'--b\r\nContent-Disposition: form-data; name="upload"; filename="x.pdf"\r\n\r\n'
        while read < 400 * MEBIBYTE:
            read += MEBIBYTE
            yield b"x" * MEBIBYTE

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    try:
        status = visitor.client.post(visitor.path, content=endless(), headers=kind).status_code
    except (
        httpx.WriteError,
        httpx.ReadError,
    ):  # the portal answered and hung up while the rest was still on its way
        status = 413
    assert status == 413
    assert read < 100 * MEBIBYTE
    assert given(on_sqlite, gate) == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{}", "application/json"),
        (b"", "multipart/form-data"),
        (b"garbage", "multipart/form-data; boundary=b"),
        (b"a=1&" * 300, "application/x-www-form-urlencoded"),
        (b"\xff\xfe=1", "application/x-www-form-urlencoded"),
    ],
)
def test_body_that_is_no_form_is_refused_in_words(
    on_sqlite: Office, base: str, content: bytes, kind: str
) -> None:
    visitor = Visitor(base, on_sqlite.path(on_sqlite.ask()))
    refused = visitor.client.post(visitor.path, content=content, headers={"Content-Type": kind})
    assert refused.status_code == 400
    assert "niet worden gelezen" in refused.text


def test_text_that_looks_like_markup_stays_text(on_sqlite: Office, base: str) -> None:
    gate = on_sqlite.ask()
    receipt = Visitor(base, on_sqlite.path(gate)).send(remark="<script>alert('x')</script>\nTweede regel")
    assert "<script>" not in receipt.text
    assert given(on_sqlite, gate)[0].remark == "<script>alert('x')</script>\nTweede regel"
