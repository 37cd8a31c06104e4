"""What changed between two versions of a contract, and whom each change breaks.

Who *writes* the data is bound by what it must be: stricter rules break the writer, whose rows are refused.
Who *reads* it relies on that: looser rules break the reader, who may meet what could not be there before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from data_contracts.physical import physical_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from data_contracts.contract import Column, Contract

Side = Literal["reader", "writer"]
READER: Final[tuple[Side, ...]] = ("reader",)
WRITER: Final[tuple[Side, ...]] = ("writer",)
BOTH: Final[tuple[Side, ...]] = ("reader", "writer")
NOBODY: Final[tuple[Side, ...]] = ()
NOTHING: Final = "–"


@dataclass(frozen=True, slots=True)
class ContractChange:
    """One change.

    Attributes:
        where: the column, or `table` or `contract`.
        what: which of its properties.
        old: what it was; a dash for nothing.
        new: what it is.
        breaks: whom it breaks: `reader`, `writer`, both or nobody.
    """

    where: str
    what: str
    old: str
    new: str
    breaks: tuple[Side, ...]

    @property
    def breaking(self) -> bool:
        """Whether it breaks anybody."""
        return bool(self.breaks)


@dataclass(frozen=True, slots=True)
class ContractDiff:
    """All changes between two versions, and whether the version number says as much."""

    old_version: str
    new_version: str
    changes: tuple[ContractChange, ...]

    @property
    def breaking(self) -> bool:
        """Whether anybody is broken."""
        return any(change.breaking for change in self.changes)

    @property
    def least_version(self) -> str:
        """The least number the new version may have."""
        major, minor, patch = _numbers(self.old_version)
        if self.breaking:
            return f"{major + 1}.0.0"
        meant = any(change.what not in _WORDING for change in self.changes)
        if meant:
            return f"{major}.{minor + 1}.0"
        return f"{major}.{minor}.{patch + 1}" if self.changes else self.old_version

    @property
    def version_fits(self) -> bool:
        """Whether the new number is high enough for what changed."""
        return _numbers(self.new_version) >= _numbers(self.least_version)


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch


def diff(old: Contract, new: Contract) -> ContractDiff:
    """Return what changed from `old` to `new`, the contract itself first, then its columns."""
    changes = (*_of_contract(old, new), *_of_columns(old, new))
    return ContractDiff(old.version, new.version, changes)


def looser(old: Column, new: Column) -> Iterator[ContractChange]:
    """Yield what a reader of `old` may meet under `new` that could not be there before."""
    return (change for change in _of_column(old, new) if "reader" in change.breaks)


def _always(*breaks: Side) -> Callable[[Any, Any], tuple[Side, ...]]:
    def judge(old: Any, new: Any) -> tuple[Side, ...]:
        del old, new
        return breaks

    return judge


def _strict_when_less(old: Any, new: Any) -> tuple[Side, ...]:
    """An upper bound: lower is stricter; none is the loosest."""
    if old is None or (new is not None and new < old):
        return WRITER
    return READER


def _strict_when_more(old: Any, new: Any) -> tuple[Side, ...]:
    """A lower bound: higher is stricter; none is the loosest."""
    if old is None or (new is not None and new > old):
        return WRITER
    return READER


def _strict_when_set(old: Any, new: Any) -> tuple[Side, ...]:
    """A rule that is there or not; another one can be stricter for some and looser for others."""
    if not old:
        return WRITER
    return READER if not new else BOTH


def _strict_when_refused(old: Any, new: Any) -> tuple[Side, ...]:
    """What is done with keys that stand twice."""
    del old
    return WRITER if new == "refuse" else READER


def _choices(old: Any, new: Any) -> tuple[Side, ...]:
    """A list of the only values there may be; an empty one allows all."""
    if not old:
        return WRITER
    if not new:
        return READER
    gone, come = set(old) - set(new), set(new) - set(old)
    return (*(READER if come else NOBODY), *(WRITER if gone else NOBODY))


def _refused(old: Any, new: Any) -> tuple[Side, ...]:
    """A list of values there may not be."""
    gone, come = set(old) - set(new), set(new) - set(old)
    return (*(READER if gone else NOBODY), *(WRITER if come else NOBODY))


def _types(old: Any, new: Any) -> tuple[Side, ...]:
    before, after = [physical_type(each) for each in old], [physical_type(each) for each in new]
    held = all(any(b.kind == a.kind and b.holds(a) for b in after) for a in before)
    known = all(any(b.kind == a.kind and b.holds(a) for b in before) for a in after)
    return (*(NOBODY if known else READER), *(NOBODY if held else WRITER))


_WORDING: Final = frozenset({"owner", "status", "labels", "version"})
_CONTRACT: Final[
    tuple[tuple[str, Callable[[Contract], Any], Callable[[Any, Any], tuple[Side, ...]]], ...]
] = (
    ("interface", lambda each: each.interface, _always(*BOTH)),
    ("owner", lambda each: each.owner, _always()),
    ("status", lambda each: each.status, _always()),
    ("source table", lambda each: each.table.source_name, _always(*BOTH)),
    ("target table", lambda each: each.table.target_name, _always(*READER)),
    ("key", lambda each: each.key, _always(*BOTH)),
    ("freshness", lambda each: each.freshness, _strict_when_less),
    ("share of bad rows", lambda each: each.bad_share_limit, _strict_when_less),
    ("changes", lambda each: each.change, _always(*BOTH)),
    ("deletions", lambda each: each.deletions, _always(*BOTH)),
    ("duplicates", lambda each: each.duplicates, _strict_when_refused),
    ("period", lambda each: each.period, _always()),
)
_COLUMN: Final[tuple[tuple[str, Callable[[Any, Any], tuple[Side, ...]]], ...]] = (
    ("logical_type", _always(*BOTH)),
    ("physical_types", _types),
    ("target", _always(*READER)),
    ("given_as", _always(*WRITER)),
    ("required", _strict_when_set),
    ("unique", _strict_when_set),
    ("formats", _choices),
    ("minimum", _strict_when_more),
    ("maximum", _strict_when_less),
    ("min_length", _strict_when_more),
    ("max_length", _strict_when_less),
    ("pattern", _strict_when_set),
    ("allowed", _choices),
    ("decimals", _strict_when_less),
    ("placeholders", _refused),
    ("reference", _strict_when_set),
    ("default", _always()),
    ("labels", _always()),
)


def _of_contract(old: Contract, new: Contract) -> Iterator[ContractChange]:
    for what, of, breaks in _CONTRACT:
        before, after = of(old), of(new)
        if before != after:
            where = "contract" if what in _WORDING else "table"
            yield ContractChange(where, what, _shown(before), _shown(after), breaks(before, after))


def _of_columns(old: Contract, new: Contract) -> Iterator[ContractChange]:
    before = {column.name: column for column in old.table.columns}
    after = {column.name: column for column in new.table.columns}
    for name, column in before.items():
        if name in after:
            yield from _of_column(column, after[name])
        else:
            yield ContractChange(name, "column", column.physical_type, NOTHING, READER)
    for name, column in after.items():
        if name not in before:
            breaks = WRITER if column.required else NOBODY
            yield ContractChange(name, "column", NOTHING, column.physical_type, breaks)


def _of_column(old: Column, new: Column) -> Iterator[ContractChange]:
    for what, breaks in _COLUMN:
        before, after = getattr(old, what), getattr(new, what)
        if before != after:
            named = what.replace("_", " ")
            yield ContractChange(old.name, named, _shown(before), _shown(after), breaks(before, after))


def _shown(value: Any) -> str:
    if value is None or value == ():
        return NOTHING
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {each}" for key, each in sorted(value.items()))
    if hasattr(value, "regex"):
        return str(value.text)
    if hasattr(value, "__dataclass_fields__"):
        parts = (getattr(value, name) for name in value.__dataclass_fields__)
        return " ".join(str(part) for part in parts if part)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
