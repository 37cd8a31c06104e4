"""Words to type: short, everyday, spelled one way, without accents, and of no meaning to a question."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, ...]]] = {
    "nl": (
        "molen", "appel", "tafel", "lepel", "water", "zomer", "winter", "tulp", "fiets", "boot",
        "brug", "kaas", "brood", "melk", "peper", "suiker", "vogel", "paard", "koe", "schaap", "tuin",
        "bos", "rivier", "berg", "strand", "wolk", "regen", "zon", "maan", "ster", "lamp", "stoel",
        "kast", "deur", "raam", "trap", "straat", "plein", "kerk", "toren", "klok", "boek", "pen",
        "papier", "brief", "doos", "tas", "hoed", "jas", "schoen", "sjaal", "piano", "gitaar",
        "trommel", "kleur", "groen", "geel", "blauw", "rood", "wit", "noten", "peren", "druif", "kers",
        "bloem",
    ),
    "en": (
        "apple", "table", "spoon", "water", "summer", "winter", "tulip", "boat", "bridge", "cheese",
        "bread", "milk", "pepper", "sugar", "bird", "horse", "sheep", "garden", "forest", "river",
        "mountain", "beach", "cloud", "rain", "moon", "star", "lamp", "chair", "door", "window",
        "stairs", "street", "square", "tower", "clock", "book", "paper", "letter", "basket", "coat",
        "shoe", "scarf", "piano", "guitar", "drum", "green", "yellow", "blue", "white", "pears",
        "grape", "cherry", "flower", "candle", "anchor", "ladder", "hammer", "button", "pocket",
        "feather", "island", "harbour", "meadow",
    ),
}  # fmt: skip
