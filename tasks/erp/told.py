"""What differs, in words: the first keys by name, and how many more there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FEW = 10
"""So many keys stand in a mail or a cell."""
_NAMES = {
    "missing": "missing in the Suite",
    "different": "different",
    "left_over": "left over in the Suite",
}
_MOST_MONTHS = 6


def first(keys: Sequence[str], count: int | None = None, most: int = FEW) -> str:
    """The first of some keys, and how many more there are; `count` where more are counted than named."""
    left = (len(keys) if count is None else count) - min(len(keys), most)
    return ", ".join([*keys[:most], *([f"and {left} more"] if left else [])])


def keys_of(found: Mapping[str, Any], name: str, most: int = FEW) -> str:
    """The keys of one kind of difference."""
    keys = found.get(name, ())
    return first(keys, found.get("counts", {}).get(name, len(keys)), most)


def difference(found: Mapping[str, Any]) -> str:
    """What differs between both sides of an interface: how many, which, and in which months."""
    counts = found.get("counts", {})
    said = [
        f"{counts[name]} {words} ({keys_of(found, name)})" for name, words in _NAMES.items() if counts[name]
    ]
    differing = months(found)
    if differing:
        said.append(f"months: {differing}")
    return "; ".join(said) or "the sums differ"


def months(found: Mapping[str, Any]) -> str:
    """The months in which both sides differ, each with its counts and sums; empty when none does."""
    told = [_month(each) for each in found.get("months", ())]
    return "; ".join(
        [*told[:_MOST_MONTHS], *([f"and {len(told) - _MOST_MONTHS} more"] * (len(told) > _MOST_MONTHS))]
    )


def guarantee(counts: Mapping[str, int]) -> str:
    """How often a row that was written stands at the ERP, in words."""
    detected, written = counts.get("at_least_once", 0), counts.get("acknowledged", 0)
    if detected:
        return f"at least once, with detection ({detected} rows: the ERP holds no keys of ours)"
    return "exactly once" if written else ""


def _month(each: Mapping[str, Any]) -> str:
    sums = [f"{name} {erp} / {suite}" for name, (erp, suite) in each["sums"].items() if erp != suite]
    counted = f"{each['month']} ERP {each['erp_rows']} rows, Suite {each['suite_rows']}"
    return ", ".join([counted, *sums])
