"""What three foreign programs find in a workbook, as one form: sheets of rows of plain values."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import zipfile
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from scripts.install_test_packages import locate
from tasks.workbook import Kind, Sheet, SheetColumn

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
Found = dict[str, list[list[Any]]]


def column(kind: Kind, name: str = "waarde", **more: Any) -> SheetColumn:
    return SheetColumn(name, kind, **more)


def one_column(kind: Kind, *values: Any, **more: Any) -> Sheet:
    return Sheet("Blad", (column(kind, **more),), [(value,) for value in values])


def unescaped(text: str) -> str:
    """`_xHHHH_` as the format says it is read; openpyxl leaves it."""
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)


def by_openpyxl(path: Path) -> Found:
    import openpyxl

    book = openpyxl.load_workbook(path)
    return {
        sheet.title: [[_plain(cell.value) for cell in row] for row in sheet.iter_rows()]
        for sheet in book.worksheets
    }


def by_calamine(path: Path) -> Found:
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_path(str(path))
    rows = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    return {
        name: [[None if cell == "" else cell for cell in row] for row in found]
        for name, found in rows.items()
    }


def by_libreoffice(path: Path, folder: Path) -> Found:
    """What LibreOffice shows in each sheet, as text: booleans as TRUE and FALSE, dates by their format."""
    program = locate("libreoffice-calc-nogui")
    command = [str(Path(program).with_name("soffice")), f"-env:UserInstallation=file://{folder}/profile"]
    form = "csv:Text - txt - csv (StarCalc):44,34,76,1,,1033,false,true,true,false,false,-1"
    command += ["--headless", "--norestore", "--convert-to", form, "--outdir", str(folder / "csv"), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    found: Found = {}
    for each in sorted((folder / "csv").glob("*.csv")):
        with each.open(encoding="utf-8", newline="") as file:
            title = each.stem.removeprefix(f"{path.stem}-")
            found[title] = [[cell or None for cell in row] for row in csv.reader(file)]
    return found


def parts(path: Path) -> dict[str, ET.Element]:
    """Each part of the file, parsed: it must be well-formed."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: ET.fromstring(archive.read(name)) for name in archive.namelist()}  # noqa: S314  # our own


def sheet_xml(path: Path, title: str) -> ET.Element:
    found = parts(path)
    listed = next(each for each in found["xl/workbook.xml"].iter(f"{MAIN}sheet") if each.get("name") == title)
    name = listed.get("{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id")
    target = next(each for each in found["xl/_rels/workbook.xml.rels"] if each.get("Id") == name).get(
        "Target"
    )
    return found[f"xl/{target}"]


def shown(path: Path, title: str, cell: str) -> str:
    """The format code of a cell."""
    import openpyxl

    code: str = openpyxl.load_workbook(path)[title][cell].number_format
    return code


def run_apart(program: str, *arguments: str) -> tuple[str, int]:
    """What a fresh Python prints, and its peak memory (KiB).

    The kernel's own high-water mark since the program began; `ru_maxrss` would begin at that of this process.
    """
    last = "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')])"
    command = [sys.executable, "-c", f"{program}\n{last}", *arguments]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    *said, peak = ran.stdout.splitlines()
    return "\n".join(said), int(peak)


def _plain(value: Any) -> Any:
    return unescaped(value) if isinstance(value, str) else value


def same(found: Any, wanted: Any) -> bool:
    """Whether a program found the value; all numbers are doubles in a workbook, all dates moments."""
    if isinstance(wanted, bool) or isinstance(found, bool) or wanted is None:
        return found is wanted
    if isinstance(wanted, int | float | Decimal):
        return isinstance(found, int | float) and float(found) == float(wanted)
    if isinstance(wanted, date):
        return abs(_moment(found) - _moment(wanted)) < timedelta(milliseconds=1)
    return bool(found == wanted)


def _moment(day: date) -> datetime:
    return day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)  # noqa: DTZ001  # workbooks know no zone
