"""The overview's words: its columns come from its data contract, what stands in them from here."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from data_contracts.loading import contract_for
from tasks.workbook import Kind, SheetColumn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nakoming.agreement.people import Language

IN, OUT, HELD_BACK = "in", "out", "held_back"
EXACTLY, DETECTED = "exactly-once", "at-least-once with detection"
WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "nl": {
        IN: "Van ERP naar Suite",
        OUT: "Van Suite naar ERP",
        HELD_BACK: "Tegengehouden",
        "per_interface": "Per koppeling",
        "rows": "Rijen",
        "created": "nieuw",
        "changed": "gewijzigd",
        "removed": "verwijderd",
        "taken": "wacht",
        "sent": "verzonden",
        "acknowledged": "bevestigd",
        "dead": "geweigerd",
        "dropped": "vervallen",
        "waiting": "wacht op herstel",
        "replayed": "opnieuw geladen",
        "superseded": "vervangen",
        EXACTLY: "precies één keer",
        DETECTED: "minstens één keer, met herkenning",
    },
    "en": {
        IN: "From ERP to Suite",
        OUT: "From Suite to ERP",
        HELD_BACK: "Held back",
        "per_interface": "Per interface",
        "rows": "Rows",
        "created": "new",
        "changed": "changed",
        "removed": "removed",
        "taken": "waiting",
        "sent": "sent",
        "acknowledged": "acknowledged",
        "dead": "refused",
        "dropped": "dropped",
        "waiting": "waiting for repair",
        "replayed": "loaded again",
        "superseded": "superseded",
        EXACTLY: "exactly once",
        DETECTED: "at least once, with detection",
    },
}
"""Each word of a language stands for one thing: read back, it says which."""
SUMMED: Final = ("quantity", "minutes")
_KINDS: Final = {
    "string": Kind.TEXT,
    "integer": Kind.INTEGER,
    "number": Kind.DECIMAL,
    "date": Kind.DATE,
    "timestamp": Kind.INSTANT,
}
_WIDTHS: Final = {
    "interface": 16.0,
    "order_no": 16.0,
    "record_key": 24.0,
    "state": 18.0,
    "direction": 20.0,
    "guarantee": 30.0,
    "content": 60.0,
    "reason": 50.0,
    "run": 34.0,
}


@cache
def columns(language: Language) -> tuple[SheetColumn, ...]:
    """The columns of every sheet of data, as the contract has them."""
    return tuple(
        SheetColumn(each.label(language), _KINDS[each.logical_type], _WIDTHS.get(each.name))
        for each in contract_for("overview").table.columns
    )


@cache
def totals_columns(language: Language) -> tuple[SheetColumn, ...]:
    """The columns of the sheet of counts and sums."""
    named = {each.name: each for each in contract_for("overview").table.columns}
    told = [SheetColumn(named[name].label(language), Kind.TEXT, 24) for name in _GROUPED]
    rows = SheetColumn(WORDS[language]["rows"], Kind.INTEGER)
    sums = [SheetColumn(named[name].label(language), Kind.DECIMAL, 18) for name in SUMMED]
    return (*told, rows, *sums)


_GROUPED: Final = ("direction", "interface", "state")
