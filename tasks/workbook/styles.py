"""The formats of cells, and the part of the file that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.workbook.text import attribute

if TYPE_CHECKING:
    from nakoming.agreement.people import Language

PLAIN, HEADER, LINK = 0, 1, 2
TEXT, INTEGER = "@", "0"  # `@`: a text stays text when somebody edits its cell, whatever it begins with
_DATES: dict[Language, str] = {"nl": r"dd\-mm\-yyyy", "en": r"yyyy\-mm\-dd"}
_CLOCK = r"\ hh:mm:ss.000"
_BUILT_IN = {"General": 0, INTEGER: 1, TEXT: 49}
_FIRST_OWN = 164  # the numbers below are Excel's own formats
_FACE = '<name val="Calibri"/><family val="2"/>'
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
)
_FONTS = (
    f'<fonts count="3"><font><sz val="11"/>{_FACE}</font><font><b/><sz val="11"/>{_FACE}</font>'
    f'<font><u/><sz val="11"/><color rgb="FF0563C1"/>{_FACE}</font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
)
_FIXED = (
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>',
    '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>',
    '<xf numFmtId="49" fontId="2" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>',
)
_TAIL = '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'


class Styles:
    """The formats of one workbook; written last, when all are known."""

    def __init__(self, language: Language) -> None:
        self.date = _DATES[language]
        self._formats: dict[str, int] = {}

    def of(self, code: str) -> int:
        """The number of the style that shows a value by this format code."""
        return self._formats.setdefault(code, len(_FIXED) + len(self._formats))

    def instant(self, offset: str = "") -> int:
        """The style of a local time; in the hour that comes twice, with its offset behind it."""
        return self.of(self.date + _CLOCK + (f'" {offset}"' if offset else ""))

    def part(self) -> bytes:
        """The content of `xl/styles.xml`."""
        own = [code for code in self._formats if code not in _BUILT_IN]
        numbers = _BUILT_IN | {code: _FIRST_OWN + place for place, code in enumerate(own)}
        formats = "".join(
            f'<numFmt numFmtId="{numbers[code]}" formatCode="{attribute(code)}"/>' for code in own
        )
        declared = f'<numFmts count="{len(own)}">{formats}</numFmts>' if own else ""
        styles = [*_FIXED, *(_style(numbers[code]) for code in self._formats)]
        listed = f'<cellXfs count="{len(styles)}">{"".join(styles)}</cellXfs>'
        return (_HEAD + declared + _FONTS + listed + _TAIL).encode()


def _style(number: int) -> str:
    return f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
