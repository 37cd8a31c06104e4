"""Makes a contract from a document of the standard, or says what stands in the way."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, get_args

from data_contracts.columns import column_of
from data_contracts.contract import (
    Change,
    ChangeKind,
    Contract,
    Deletions,
    DeletionsBy,
    Duplicates,
    PeriodOf,
    Table,
)
from data_contracts.custom import Findings, custom_of, decimal_of
from data_contracts.odcs import NAME
from nakoming.agreement.values import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data_contracts.contract import Column
    from data_contracts.custom import Custom
    from data_contracts.odcs import Document, SchemaObject

KNOWN: Final = ("targetTable", "change", "deletions", "duplicates", "badShareLimit", "localChange", "period")
_UNITS: Final = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
}
_UNIT_OF: Final = {
    "m": "minutes",
    "min": "minutes",
    "minute": "minutes",
    "minutes": "minutes",
    "h": "hours",
    "hour": "hours",
    "hours": "hours",
    "d": "days",
    "day": "days",
    "days": "days",
}
_FRESH: Final = ("latency", "ly", "freshness")
_MAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LONGEST: Final = 366
_MOST_VERSIONS: Final = 10_000_000
_TABLE: Final = ("schema", "0")


def contract_of(document: Document) -> tuple[Contract | None, Findings]:
    """Return the contract, or None with what is wrong with the document."""
    findings = Findings()
    if len(document.tables) != 1:
        problem = f"{len(document.tables)} tables stand here"
        findings.add(("schema",), problem, "exactly one table in a contract")
        return None, findings
    table = document.tables[0]
    custom = custom_of(table.custom, KNOWN, _TABLE, findings)
    columns = _columns(table, findings)
    found = Contract(
        interface=document.name,
        version=document.version,
        status=document.status,
        owner=_owner(document, findings),
        table=Table(table.name, custom.identifier("targetTable") or "", columns),
        freshness=_freshness(document, findings),
        freshness_column=_freshness_column(document, columns),
        bad_share_limit=_share(custom),
        change=_change(custom, columns),
        deletions=_deletions(custom, columns),
        duplicates=_choice(custom, "duplicates", get_args(Duplicates), "newest"),
        local_change=custom.identifier("localChange"),
        period=_period(custom, columns),
    )
    custom.need("targetTable", "the table of the Suite that is filled, such as production_orders")
    return (None if findings.problems else found), findings


def _columns(table: SchemaObject, findings: Findings) -> tuple[Column, ...]:
    found: list[Column] = []
    for at, given in enumerate(table.properties):
        where = (*_TABLE, "properties", str(at))
        if any(column.name == given.name for column in found):
            findings.add((*where, "name"), f"a second column {given.name}", "each column once")
        found.append(column_of(given, where, findings))
    _key(found, findings)
    _targets(found, findings)
    return tuple(found)


def _key(columns: list[Column], findings: Findings) -> None:
    places = sorted(each.primary_key_position for each in columns if each.primary_key_position is not None)
    path = (*_TABLE, "properties")
    if not places:
        findings.add(path, "no column is the key", "primaryKey: true with primaryKeyPosition, from 1")
    elif places != list(range(1, len(places) + 1)):
        written = ", ".join(map(str, places))
        findings.add(path, f"the places in the key are {written}", "1, 2 and so on, each once")


def _targets(columns: list[Column], findings: Findings) -> None:
    for target, times in Counter(column.target for column in columns if column.target).items():
        if times > 1:
            places = [at for at, column in enumerate(columns) if column.target == target]
            path = (*_TABLE, "properties", str(places[-1]))
            findings.add(path, f"{times} columns fill {target}", "one column for each of the Suite's")


def _owner(document: Document, findings: Findings) -> str:
    owners = [(at, each) for at, each in enumerate(document.team.members) if each.role == "owner"]
    if len(owners) != 1:
        problem = f"{len(owners)} members have the role owner"
        findings.add(("team", "members"), problem, "exactly one member with the role owner")
        return ""
    at, owner = owners[0]
    if _MAIL.fullmatch(owner.username) is None:
        path = ("team", "members", str(at), "username")
        findings.add(path, f"{shown(owner.username)} is not an address", "such as exchange@vendor.example")
    return owner.username


def _freshness(document: Document, findings: Findings) -> timedelta:
    given = [(at, each) for at, each in enumerate(document.sla) if each.property in _FRESH]
    if len(given) != 1:
        allowed = "one property latency, with a value and a unit"
        findings.add(("slaProperties",), f"{len(given)} promises say how fresh the data is", allowed)
        return timedelta()
    at, promise = given[0]
    where = ("slaProperties", str(at))
    unit = _UNIT_OF.get(promise.unit or "")
    if unit is None:
        findings.add((*where, "unit"), f"{shown(promise.unit)} is not a unit of time", ", ".join(_UNITS))
        return timedelta()
    return _lasting(promise.value, unit, (*where, "value"), findings)


def _freshness_column(document: Document, columns: tuple[Column, ...]) -> str | None:
    """The column that the promise names as its element, when it is a change time of the table."""
    named = next((each.element for each in document.sla if each.property in _FRESH and each.element), "")
    name = named.rpartition(".")[2]
    return next(
        (each.name for each in columns if each.name == name and each.logical_type == "timestamp"), None
    )


def _lasting(value: object, unit: str, path: tuple[str, ...], findings: Findings) -> timedelta:
    number = decimal_of(value)
    most = int(timedelta(days=_LONGEST) / _UNITS[unit])
    if number is None or number != number.to_integral_value() or not 0 < number <= most:
        findings.add(path, f"{shown(value)} is not a number of {unit}", f"1 to {most}")
        return timedelta()
    return int(number) * _UNITS[unit]


def _share(custom: Custom) -> Decimal:
    allowed = "a share of bad rows from 0 to 1, such as 0.05"
    found = custom.need("badShareLimit", allowed)
    if found is None:
        return Decimal(0)
    path, value = found
    share = decimal_of(value)
    if share is None or not 0 <= share <= 1:
        custom.findings.add(path, f"{shown(value)} is not a share", allowed)
        return Decimal(0)
    return share


def _change(custom: Custom, columns: tuple[Column, ...]) -> Change:
    allowed = "by (row_version, changed_at or key), column, overlapMinutes, overlapVersions"
    keyed = [column.name for column in columns if column.primary_key_position == 1]
    usual = keyed[0] if keyed else ""
    found = custom.mapping("change", ("by", "column", "overlapMinutes", "overlapVersions"), allowed)
    if found is None:
        if custom.get("change") is None:
            custom.need("change", allowed)
        return Change("key", usual)
    path, value = found
    kind = _one_of(custom, (*path, "by"), value.get("by"), get_args(ChangeKind))
    column = _column_named(custom, path, value, columns)
    if kind != "key" and "column" not in value:
        custom.findings.add(path, "the column is missing", f"column, with the name of the {kind}")
    return Change(kind, column or usual, _overlap(custom, kind, path, value))


def _overlap(
    custom: Custom, kind: str, path: tuple[str, ...], value: Mapping[str, Any]
) -> timedelta | int | None:
    minutes, versions = (*path, "overlapMinutes"), (*path, "overlapVersions")
    if kind == "changed_at":
        if "overlapVersions" in value:
            custom.findings.add(versions, "changed_at has no versions", "overlapMinutes")
        # Two clocks and open transactions: without an overlap, late ones would never be seen.
        return _lasting(value.get("overlapMinutes"), "minutes", minutes, custom.findings)
    if "overlapMinutes" in value:
        custom.findings.add(minutes, f"{kind} has no minutes", "overlapVersions, or none")
    given = value.get("overlapVersions")
    if "overlapVersions" in value and (type(given) is not int or not 0 <= given <= _MOST_VERSIONS):
        allowed = f"a whole number from 0 to {_MOST_VERSIONS}"
        custom.findings.add(versions, f"{shown(given)} is not a number of versions", allowed)
        return None
    return given


def _deletions(custom: Custom, columns: tuple[Column, ...]) -> Deletions:
    allowed = "by (tombstone, key_comparison or none), column or table, sets"
    found = custom.mapping("deletions", ("by", "column", "table", "sets"), allowed)
    if found is None:
        if custom.get("deletions") is None:
            custom.need("deletions", allowed)
        return Deletions("none")
    path, value = found
    by = _one_of(custom, (*path, "by"), value.get("by"), get_args(DeletionsBy))
    given = [name for name in ("column", "table") if name in value]
    if len(given) != (by == "tombstone"):
        problem = f"{by} with {' and '.join(given) or 'neither column nor table'}"
        custom.findings.add(path, problem, "a tombstone has a column or a table, the others have neither")
    column = _column_named(custom, path, value, columns)
    kind = next((each.logical_type for each in columns if each.name == column), "boolean")
    if kind not in {"boolean", "integer"}:
        custom.findings.add((*path, "column"), f"a column of type {kind} marks nothing", "boolean or integer")
    table = value.get("table") if isinstance(value.get("table"), str) else None
    return Deletions(by, column, table, _sets(custom, path, value))


def _period(custom: Custom, columns: tuple[Column, ...]) -> PeriodOf | None:
    allowed = "column, a date or an instant; or through, a column that refers to the Suite, and its column"
    found = custom.mapping("period", ("column", "through"), allowed)
    if found is None:
        return None
    path, value = found
    through = value.get("through")
    if through is None:
        moments = {each.name for each in columns if each.logical_type in {"date", "timestamp"}}
        good = value.get("column") in moments
    else:
        referring = {each.name for each in columns if each.reference is not None}
        good = through in referring and re.fullmatch(NAME, str(value.get("column"))) is not None
    if not good:
        custom.findings.add(path, f"{shown(value)} tells no month", allowed)
        return None
    return PeriodOf(str(value["column"]), through)


def _sets(custom: Custom, path: tuple[str, ...], value: dict[str, Any]) -> dict[str, Any]:
    sets = value.get("sets", {})
    good = isinstance(sets, dict) and all(re.fullmatch(NAME, str(name)) for name in sets)
    if not good or not all(isinstance(each, str | int) for each in sets.values()):
        allowed = "columns of the Suite with the value each gets, such as {status: cancelled}"
        custom.findings.add((*path, "sets"), f"{shown(sets)} sets nothing", allowed)
        return {}
    return dict(sets)


def _column_named(
    custom: Custom, path: tuple[str, ...], value: dict[str, Any], columns: tuple[Column, ...]
) -> str | None:
    names = [column.name for column in columns]
    if "column" not in value:
        return None
    if value["column"] not in names:
        where = (*path, "column")
        custom.findings.add(where, f"{shown(value['column'])} is not a column of it", ", ".join(names))
        return None
    return str(value["column"])


def _choice(custom: Custom, name: str, choices: tuple[Any, ...], usual: Any) -> Any:
    found = custom.get(name)
    return usual if found is None else _one_of(custom, *found, choices)


def _one_of(custom: Custom, path: tuple[str, ...], value: object, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        custom.findings.add(path, f"{shown(value)} is not one of the choices", ", ".join(choices))
        return choices[-1]
    return value
