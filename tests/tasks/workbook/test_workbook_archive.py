from __future__ import annotations

import zipfile
from io import BytesIO
from typing import TYPE_CHECKING

from tasks.workbook.archive import Archive
from tests.tasks.workbook.looking import run_apart

if TYPE_CHECKING:
    from pathlib import Path

BEYOND = 5 << 30  # where an archive needs ZIP64


def put(archive: Archive, name: str, content: bytes) -> None:
    with archive.entry(name) as entry:
        entry.write(content)


def test_what_was_put_in_comes_out() -> None:
    target = BytesIO()
    archive = Archive(target.write)
    put(archive, "a.xml", b"x" * 100_000)
    put(archive, "leeg", b"")
    put(archive, "map/é.xml", bytes(range(256)) * 300)
    archive.finish()
    with zipfile.ZipFile(target) as found:
        assert found.testzip() is None
        assert found.namelist() == ["a.xml", "leeg", "map/é.xml"]
        assert found.read("map/é.xml") == bytes(range(256)) * 300
        assert {entry.date_time for entry in found.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert archive.size == len(target.getvalue())
    assert b"PK\x06\x06" not in target.getvalue()  # Excel refuses ZIP64 where it is not needed


def test_beyond_four_gibibytes_the_directory_is_zip64(tmp_path: Path) -> None:
    """A file with a hole instead of what would take minutes to write."""
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        before = Archive(file.write)
        put(before, "first", b"1")
        file.seek(BEYOND)
        archive = Archive(file.write, offset=BEYOND)
        put(archive, "far", b"away" * 1000)
        archive.finish()
    with zipfile.ZipFile(path) as found:
        (entry,) = found.infolist()
        assert entry.header_offset == BEYOND
        assert found.read("far") == b"away" * 1000
    with path.open("rb") as file:
        file.seek(BEYOND)
        tail = file.read()
    assert b"PK\x06\x06" in tail
    assert b"PK\x06\x07" in tail


def test_more_than_65535_entries_are_zip64() -> None:
    target = BytesIO()
    archive = Archive(target.write)
    for number in range(65_600):
        put(archive, str(number), b"")
    archive.finish()
    with zipfile.ZipFile(target) as found:
        assert len(found.namelist()) == 65_600


def test_memory_is_the_same_however_many_rows(tmp_path: Path) -> None:
    few, many = _peak(tmp_path, 4_000), _peak(tmp_path, 400_000)
    assert many - few < 4_000  # KiB
    assert many < 60_000


def _peak(folder: Path, rows: int) -> int:
    """Peak memory (KiB) of a process that writes so many rows."""
    program = """if True:
        import sys
        from tasks.workbook import Kind, Sheet, SheetColumn, write_workbook
        columns = (SheetColumn("a", Kind.TEXT), SheetColumn("b", Kind.INTEGER, total=True))
        rows = ((f"order {number}", number) for number in range(int(sys.argv[2])))
        write_workbook(sys.argv[1], [Sheet("Orders", columns, rows)], language="nl")
    """
    return run_apart(program, str(folder / "large.xlsx"), str(rows))[1]
