"""The production orders a customer's ERP holds: invented, the same at every start."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import cycle, islice
from typing import Any

ORDERS = 36
FIRST_DUE_ON = date(2026, 12, 1)
STATUSES = ("finished", "released", "released", "planned", "planned")

# Names as the world writes them: what breaks on these is broken.
BUYERS = (
    "Jansen & Zonen Machinebouw",
    "Łódź Konstrukcje Sp. z o.o.",
    "Müller Fördertechnik GmbH",
    "Ateliers Lefèbvre",
    "O’Connor Marine",
    "Ærø Skibsværft",
    "株式会社みどり機械",
    "Δέλτα Μεταλλική",
)

PRODUCTS: dict[str, tuple[tuple[str, str], ...]] = {
    "brouwer": (
        ("HEB-200", "Ligger HEB 200, 6 m, gestraald en gecoat"),
        ("TRAP-12", "Stalen spiltrap, 12 treden, verzinkt"),
        ("BORD-3", "Bordes 3 × 2 m met leuning"),
        ("KOL-Ø168", "Kolom Ø 168,3 × 8 met voetplaat"),
        ("SPANT-24", "Spant 24 m, geschroefd, S355"),
    ),
    "fenwick": (
        ("DIE-0.8", "Blanking die for 0.8 mm sheet, 4 cavities"),
        ("JIG-210", "Welding jig, door frame, ±0.1 mm"),
        ("PCH-M6", "Punch set M6, TiN coated"),
        ("FIX-77", "Milling fixture 77, hydraulic"),
        ("GAU-12H7", "Plug gauge Ø 12 H7, go/no-go"),
    ),
    "kestrel": (
        ("CAP-38", "Screw cap 38 mm, PE-HD, natural"),
        ("TRAY-6", "Thermoformed tray, 6 cells, ≥ 70 % recycled"),
        ("HSG-21", "Sensor housing PA6-GF30, black"),
        ("GRM-9", "Grommet TPE 60 °Sh A"),
        ("LID-110", "Lid Ø 110, crystal clear PP"),
    ),
}

OPERATIONS: dict[str, tuple[tuple[str, int], ...]] = {
    "nl": (("Zagen", 45), ("Boren", 60), ("Lassen", 180), ("Stralen en coaten", 120), ("Keuren", 30)),
    "en": (("Set-up", 40), ("Machining", 150), ("Deburring", 35), ("Assembly", 90), ("Inspection", 25)),
}

# What goes into a product: article and unit.
MATERIALS: dict[str, tuple[tuple[str, str], ...]] = {
    "brouwer": (("S355-PL10", "kg"), ("HEB-200-S235", "m"), ("M16-8.8", "st"), ("VERF-RAL7016", "l")),
    "fenwick": (("1.2379-BAR", "kg"), ("TiN-COAT", "pcs"), ("DOWEL-Ø8", "pcs"), ("OIL-32", "l")),
    "kestrel": (("PE-HD-NAT", "kg"), ("PA6-GF30-BLK", "kg"), ("MB-WHITE", "kg"), ("BOX-600", "pcs")),
}


def orders_for(customer: str, language: str, count: int = ORDERS) -> list[dict[str, Any]]:
    """`count` orders of one customer in the form the Suite's `/api/orders` takes."""
    products = islice(cycle(PRODUCTS[customer]), count)
    return [
        {
            "number": f"{customer[:2].upper()}-2026-{position:04d}",
            "customer": BUYERS[position % len(BUYERS)],
            "article": article,
            "description": description,
            "quantity": 1 + position * 7 % 48,
            "due_on": (FIRST_DUE_ON + timedelta(days=position * 2 // 3)).isoformat(),
            "status": STATUSES[position * len(STATUSES) // (count + 1)],
            "operations": _operations(position, language),
        }
        for position, (article, description) in enumerate(products, start=1)
    ]


def _operations(position: int, language: str) -> list[dict[str, Any]]:
    steps = OPERATIONS[language][: 2 + position % 4]
    return [
        {"sequence": 10 * place, "name": name, "planned_minutes": minutes + 5 * (position % 6)}
        for place, (name, minutes) in enumerate(steps, start=1)
    ]
