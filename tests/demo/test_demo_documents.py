"""The documents of the demo's RFC: real files with the same digest at every start."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import puremagic
import pytest

from demo.paper import LANGUAGES, TEXTS, main, render_pdf, write_documents

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_becomes_a_pdf_of_the_same_bytes(tmp_path: Path, language: str) -> None:
    first = write_documents(language, tmp_path / "first")
    second = write_documents(language, tmp_path / "second")
    assert len(first) == 4
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert puremagic.from_file(one) == ".pdf"


def test_the_places_in_the_file_are_where_the_objects_are() -> None:
    pdf = render_pdf("# Titel\n\n" + "\n\n".join(f"Alinea {n} (één)" for n in range(90)))
    start = int(re.findall(rb"startxref\n(\d+)", pdf)[0])
    assert pdf[start:].startswith(b"xref\n")
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", pdf)]
    for number, place in enumerate(places, start=1):
        assert pdf[place:].startswith(b"%d 0 obj\n" % number)
    assert len(re.findall(rb"/Type /Page ", pdf)) == int(re.findall(rb"/Count (\d+)", pdf)[0]) > 1
    for length, stream in re.findall(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", pdf, re.DOTALL):
        assert int(length) == len(stream)
    assert "Alinea 89 \\(één\\)".encode("cp1252") in pdf


def test_the_command_names_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--language", "nl", "--out", str(tmp_path)]) == 0
    named = json.loads(capsys.readouterr().out)["documents"]
    assert sorted(named) == sorted(str(path) for path in tmp_path.iterdir())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_request_says_all_the_play_needs(language: str) -> None:
    request = json.loads((TEXTS / language / "rfc.json").read_text(encoding="utf-8"))
    assert set(request) == {
        "reference",
        "title",
        "description",
        "rejection_of_specification_1",
        "short_description",
    }
    assert all(request.values())
