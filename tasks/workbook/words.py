"""The fixed words of a workbook, in the customer's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nakoming.agreement.people import Language


@dataclass(frozen=True, slots=True)
class Words:
    """What the writer itself puts into a workbook."""

    index: str
    sheet: str
    rows: str
    as_text: str
    long_texts: str
    total: str
    totals: str
    column: str
    place: str
    part: str
    text: str
    continued: str
    why_text: str
    why_long: str


_DUTCH = Words(
    index="Overzicht",
    sheet="Blad",
    rows="Rijen",
    as_text="Waarden als tekst",
    long_texts="Lange teksten",
    total="Totaal",
    totals="Totalen",
    column="Kolom",
    place="Cel",
    part="Deel",
    text="Tekst",
    continued=" … [verder op blad '{sheet}', rij {row}]",
    why_text=(
        "Waarden als tekst: getallen van meer dan 15 cijfers en datums voor 1 maart 1900 staan als tekst in "
        "hun cel, omdat Excel ze anders zou veranderen."
    ),
    why_long=(
        "Lange teksten: een cel bevat ten hoogste 32.767 tekens; het vervolg staat op het blad dat zij noemt."
    ),
)
_ENGLISH = Words(
    index="Overview",
    sheet="Sheet",
    rows="Rows",
    as_text="Values as text",
    long_texts="Long texts",
    total="Total",
    totals="Totals",
    column="Column",
    place="Cell",
    part="Part",
    text="Text",
    continued=" … [continued on sheet '{sheet}', row {row}]",
    why_text=(
        "Values as text: numbers of more than 15 digits and dates before 1 March 1900 stand as text in their "
        "cell, because Excel would change them otherwise."
    ),
    why_long=(
        "Long texts: a cell holds at most 32,767 characters; it goes on on the sheet that the cell names."
    ),
)
WORDS: dict[Language, Words] = {"nl": _DUTCH, "en": _ENGLISH}
