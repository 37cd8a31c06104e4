"""The documents of the demo's RFC as PDF: `python -m demo.paper --language nl --out DIR`.

The texts lie in `documents/<language>/*.md`; of Markdown only headings, lists and paragraphs are used. The
same text gives the same bytes, and so the same digest.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TEXTS = Path(__file__).resolve().parent / "documents"
LANGUAGES = ("nl", "en")

# A4 in points, with margins; a line holds what fits at 11 points.
PAGE = (595, 842)
LEFT, TOP, BOTTOM = 64, 770, 64
SIGNS_A_LINE = 84
BODY, HEADING, TITLE = ("F1", 11, 16), ("F2", 13, 26), ("F2", 18, 32)

Line = tuple[str, int, int, str]


def render_pdf(markdown: str) -> bytes:
    """Set `markdown` on A4 pages with the fonts every reader has.

    Raises:
        UnicodeEncodeError: A sign is not in those fonts' western alphabet.
    """
    pages = [_page_content(page) for page in _pages(_lines(markdown))]
    kids = " ".join(f"{5 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        *(_font(name) for name in ("Helvetica", "Helvetica-Bold")),
    ]
    for position, content in enumerate(pages):
        objects.append(_page(6 + 2 * position))
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return _file(objects)


def write_documents(language: str, folder: Path) -> list[Path]:
    """Write every document of `language` as PDF into `folder` and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for text in sorted((TEXTS / language).glob("*.md")):
        target = folder / f"{text.stem}.pdf"
        target.write_bytes(render_pdf(text.read_text(encoding="utf-8")))
        written.append(target)
    return written


def _lines(markdown: str) -> Iterator[Line]:
    for block in markdown.strip().split("\n\n"):
        for line in _joined(block):
            mark, _, rest = line.partition(" ")
            font, size, lead = {"#": TITLE, "##": HEADING}.get(mark, BODY)
            words = rest if mark in {"#", "##"} else line
            indent = "  " if mark == "-" or mark.rstrip(".").isdigit() else ""
            for part in textwrap.wrap(words, SIGNS_A_LINE, subsequent_indent=indent):
                yield font, size, lead, part
        yield *BODY, ""


def _joined(block: str) -> list[str]:
    """The lines of a block, with the source's own line breaks inside a sentence taken out."""
    lines: list[str] = []
    for line in block.split("\n"):
        goes_on = line.startswith("  ") or (lines and len(lines[-1]) > SIGNS_A_LINE)
        if goes_on and lines:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def _pages(lines: Iterator[Line]) -> Iterator[list[tuple[int, Line]]]:
    page: list[tuple[int, Line]] = []
    height = TOP
    for line in lines:
        if height - line[2] < BOTTOM:
            yield page
            page, height = [], TOP
        height -= line[2]
        page.append((height, line))
    yield page


def _page_content(page: list[tuple[int, Line]]) -> bytes:
    shown = [
        f"BT /{font} {size} Tf {LEFT} {height} Td ({_escaped(text)}) Tj ET"
        for height, (font, size, _lead, text) in page
        if text
    ]
    return "\n".join(shown).encode("cp1252")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _font(name: str) -> bytes:
    return f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()


def _page(content: int) -> bytes:
    width, height = PAGE
    return (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents {content} 0 R"
        " /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>"
    ).encode()


def _file(objects: list[bytes]) -> bytes:
    body = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    body += b"".join(b"%010d 00000 n \n" % place for place in places)
    body += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(body)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the documents and print their paths as one JSON line."""
    parser = argparse.ArgumentParser(prog="demo.paper", description=__doc__)
    parser.add_argument("--language", choices=LANGUAGES, default="nl")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    written = write_documents(chosen.language, chosen.out)
    sys.stdout.write(json.dumps({"documents": [str(path.resolve()) for path in written]}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
