"""`nakoming agreement` and `nakoming document`."""

from __future__ import annotations

import shutil
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from nakoming.records import agreements, clock
from tests.harness.installation import AGREEMENTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.deployments.cli.conftest import Ended

PDF = b"%PDF-1.7\n%%EOF\n"


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    return shutil.copytree(AGREEMENTS, tmp_path / "agreements")


def test_every_problem_of_every_file_is_told(nakoming: Callable[..., Ended], copies: Path) -> None:
    text = (copies / "kestrel.yaml").read_text(encoding="utf-8")
    text = text.replace("language: en", "language: fr", 1).replace("percent: 99.8", "percent: 101")
    (copies / "kestrel.yaml").write_text(text, encoding="utf-8")
    vendor = (copies / "vendor.yaml").read_text(encoding="utf-8")
    (copies / "vendor.yaml").write_text(
        vendor.replace("operators@sps.example", "operators"), encoding="utf-8"
    )
    ended = nakoming(
        "agreement", "check", copies / "kestrel.yaml", copies / "vendor.yaml", copies / "no.yaml"
    )
    assert ended.status == 1
    assert ended.out.splitlines() == [
        "kestrel.yaml, line 6, language: 'fr' is not one of the choices; allowed: nl, en.",
        (
            "kestrel.yaml, line 54, availability.percent: 101 is out of bounds; "
            "allowed: 0 to 100, with at most two decimals."
        ),
        (
            "vendor.yaml, line 4, operators_email: 'operators' is not a mail address; "
            "allowed: one address, such as jo@customer.example."
        ),
        "no.yaml cannot be read as an agreement: no such file or directory.",
    ]


def test_right_files_have_no_problems(nakoming: Callable[..., Ended]) -> None:
    files = sorted(AGREEMENTS.glob("*.yaml"))
    ended = nakoming("agreement", "check", *files)
    assert (ended.status, ended.out.splitlines()) == (0, [f"{file}: no problems." for file in files])
    assert nakoming("agreement", "check", *files, "--json").data == [
        {"file": str(file), "problems": []} for file in files
    ]


def test_a_file_of_another_customer_is_no_agreement_of_this_one(
    nakoming: Callable[..., Ended], copies: Path
) -> None:
    (copies / "kestrel.yaml").rename(copies / "acme.yaml")
    ended = nakoming("agreement", "check", copies / "acme.yaml")
    sentence = (
        "acme.yaml holds the agreement of 'kestrel'; name the file kestrel.yaml, or correct `customer`."
    )
    assert (ended.status, ended.out) == (1, f"{sentence}\n")


def test_officers_and_terms_are_shown_with_their_source(
    records: Records, nakoming: Callable[..., Ended]
) -> None:
    with records.write() as tx:
        clock.set_to(tx.connection, datetime(2026, 11, 23, 9, tzinfo=UTC))
    data = nakoming("agreement", "show", "kestrel", "--terms", "--json").data
    assert data["version"] == 1
    persons = {person["id"]: person for person in data["persons"]}
    assert persons["greta-holm"]["valid_from"] == "2027-06-01"
    assert persons["greta-holm"]["valid_today"] is False
    assert persons["femi-adeyemi"]["valid_today"] is True
    terms = {term["path"]: term for term in data["terms"]}
    assert terms["lead_times.quote_validity"] == {
        "path": "lead_times.quote_validity",
        "value": 45,
        "clause": "S-2.3.4",
        "origin": "agreement",
        "source": "Contract KC-2025-118, article 7.2",
    }
    assert terms["windows.service"]["origin"] == "sla"
    assert terms["lead_times.judgement"]["origin"] == "ours"
    shown = nakoming("agreement", "show", "kestrel", "--terms").out
    assert "Tue 01 Jun 2027" in shown
    assert "not valid" in shown
    assert "article 7.2" in shown


def test_an_unknown_customer_is_told_with_those_known(
    records: Records, nakoming: Callable[..., Ended]
) -> None:
    del records
    ended = nakoming("agreement", "show", "acme")
    assert ended == type(ended)(
        4,
        "",
        "There is no agreement of customer 'acme'; known customers: brouwer, fenwick, kestrel. [NK2018]\n",
    )


def test_a_changed_file_is_a_new_version_and_a_wrong_one_loads_nothing(
    records: Records, nakoming: Callable[..., Ended], copies: Path
) -> None:
    changed, wrong = copies / "brouwer.yaml", copies / "fenwick.yaml"
    changed.write_text(changed.read_text(encoding="utf-8") + "# later\n", encoding="utf-8")
    wrong.write_text("customer: fenwick\n", encoding="utf-8")
    assert nakoming("agreement", "load", changed, wrong).status == 2
    with records.read() as tx:
        assert agreements.newest_version(tx, "brouwer") == 1
    rows = nakoming("agreement", "load", changed, copies / "vendor.yaml", "--json").data
    assert [(row["customer"], row["version"], row["new"]) for row in rows] == [
        ("brouwer", 2, True),
        ("vendor", 1, False),
    ]


def test_a_document_comes_back_as_it_was_stored(
    records: Records, nakoming: Callable[..., Ended], tmp_path: Path
) -> None:
    del records
    paper = tmp_path / "offerte.pdf"
    paper.write_bytes(PDF)
    (stored,) = nakoming("document", "add", "brouwer", paper, "--json").data
    assert (stored["name"], stored["stored_by"]) == ("offerte.pdf", "sanne")
    again = nakoming("document", "add", "brouwer", paper, "--by", "joost")
    assert again.out == f"{stored['id']}\n"
    assert [each["id"] for each in nakoming("document", "list", "brouwer", "--json").data] == [stored["id"]]
    copy = tmp_path / "copy.pdf"
    assert nakoming("document", "get", stored["id"], "--out", copy).status == 0
    assert copy.read_bytes() == PDF
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    ended = nakoming("document", "get", stored["id"], "--out", copy)
    assert (ended.status, ended.err) == (
        2,
        f"{copy} exists already; name another file, or move it away first. [NK7151]\n",
    )


def test_wrong_documents_are_refused_before_any_is_stored(
    records: Records, nakoming: Callable[..., Ended], tmp_path: Path
) -> None:
    del records
    good, empty, false = tmp_path / "a.pdf", tmp_path / "b.pdf", tmp_path / "c.pdf"
    good.write_bytes(PDF)
    empty.write_bytes(b"")
    false.write_bytes(b"GIF89a")
    cases = {
        empty: "Document 'b.pdf' is refused: it is empty (0 bytes); allowed: files with content. [NK2011]\n",
        tmp_path / "d.pdf": f"{tmp_path / 'd.pdf'} cannot be read: no such file or directory. [NK7150]\n",
        tmp_path: f"{tmp_path} cannot be read: is a directory. [NK7150]\n",
    }
    for wrong, sentence in cases.items():
        assert nakoming("document", "add", "brouwer", good, wrong).err == sentence
    assert "not what '.pdf' says" in nakoming("document", "add", "brouwer", good, false).err
    assert nakoming("document", "list", "brouwer").out == "Nothing is stored of brouwer.\n"
    ended = nakoming("document", "get", "0" * 32, "--out", tmp_path / "x")
    assert (ended.status, ended.err) == (
        4,
        (
            f"There is no document {'0' * 32}; `nakoming document list CUSTOMER` shows those there are. "
            "[NK7169]\n"
        ),
    )
