"""Makes the columns of a contract from the properties of a document."""

from __future__ import annotations

import math
import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from data_contracts import pattern
from data_contracts.contract import Column, Reference
from data_contracts.custom import custom_of, decimal_of
from data_contracts.odcs import NAME, TYPE
from nakoming.agreement.values import shown

if TYPE_CHECKING:
    from data_contracts.custom import Custom, Findings, Path
    from data_contracts.odcs import Property

KNOWN: Final = ("target", "label", "formats", "placeholders", "alsoAs", "default", "givenAs")
FORMATS: Final = ("YYYY-MM-DD", "DD-MM-YYYY", "DD/MM/YYYY", "DD.MM.YYYY", "YYYYMMDD")
"""How dates may be written: no two of these can mean another day by the same text."""
GREATEST: Final = 1_000_000_000
"""Bounds of fractions: every database here tells numbers of this size apart to the sixth decimal."""
GREATEST_WHOLE: Final = 10**15
USUAL_WHOLE: Final = 2**31 - 1
"""What the Suite's columns of whole numbers hold, where a contract names no bound."""
_EXCLUDED: Final = {"exclusive_minimum", "exclusive_maximum"}
_BOUNDED: Final = {"minimum", "maximum", *_EXCLUDED}
_FITTING: Final[dict[str, frozenset[str]]] = {
    "string": frozenset({"min_length", "max_length", "pattern"}),
    "integer": frozenset({*_BOUNDED}),
    "number": frozenset({*_BOUNDED, "multiple_of"}),
    "date": frozenset({*_BOUNDED, "format"}),
    "timestamp": frozenset({*_BOUNDED}),
    "boolean": frozenset(),
}
_STEP: Final = re.compile(r"1|1\.0|0\.0{0,5}1")


def column_of(given: Property, where: Path, findings: Findings) -> Column:
    """Return the column; what is wrong with it is noted in `findings`."""
    custom = custom_of(given.custom, KNOWN, where, findings)
    _options_that_fit(given, where, findings)
    minimum, maximum = _bounds(given, where, findings)
    target = custom.identifier("target")
    if given.logical_type == "integer" and target is not None:
        minimum = Decimal(-USUAL_WHOLE) if minimum is None else minimum
        maximum = Decimal(USUAL_WHOLE) if maximum is None else maximum
    return Column(
        name=given.name,
        logical_type=given.logical_type,
        physical_types=(given.physical_type, *_also_as(custom)),
        target=target,
        required=given.required or given.primary_key or _never_null(given),
        primary_key_position=_position(given, where, findings),
        unique=given.unique,
        formats=_formats(given, custom, where),
        minimum=minimum,
        maximum=maximum,
        min_length=given.options.min_length,
        max_length=given.options.max_length,
        pattern=_pattern(given, where, findings),
        allowed=_allowed(given, where, findings),
        decimals=_decimals(given, where, findings),
        placeholders=_placeholders(given, custom),
        reference=_reference(given, where, findings),
        default=_default(custom),
        given_as=custom.identifier("givenAs"),
        labels=custom.words("label") or ({"en": given.business_name} if given.business_name else {}),
    )


def _options_that_fit(given: Property, where: Path, findings: Findings) -> None:
    names = {name: field.alias or name for name, field in type(given.options).model_fields.items()}
    fitting = _FITTING[given.logical_type]
    for name, alias in names.items():
        if getattr(given.options, name) is not None and name not in fitting:
            allowed = ", ".join(sorted(names[each] for each in fitting - _EXCLUDED)) or "no options"
            problem = f"a column of type {given.logical_type} has none"
            findings.add((*where, "logicalTypeOptions", alias), problem, allowed)


def _bounds(given: Property, where: Path, findings: Findings) -> tuple[Decimal | None, Decimal | None]:
    options = given.options
    low = _bound(given, options.minimum, (*where, "logicalTypeOptions", "minimum"), findings)
    high = _bound(given, options.maximum, (*where, "logicalTypeOptions", "maximum"), findings)
    for name, value in (
        ("exclusiveMinimum", options.exclusive_minimum),
        ("exclusiveMaximum", options.exclusive_maximum),
    ):
        if value is not None:
            path = (*where, "logicalTypeOptions", name)
            findings.add(path, "an excluded bound is not used here", "minimum and maximum, both included")
    if low is not None and high is not None and low > high:
        path = (*where, "logicalTypeOptions", "maximum")
        findings.add(path, "it is below the minimum", f"{options.minimum} or more")
    return low, high


def _bound(given: Property, value: object, path: Path, findings: Findings) -> Decimal | None:
    if value is None:
        return None
    if given.logical_type in {"date", "timestamp"}:
        day = _day(value)
        if day is None:
            findings.add(
                path, f"{shown(value)} is not a date", "a date as year-month-day, such as 2000-01-01"
            )
        return None if day is None else Decimal(day)
    number = decimal_of(value) if not isinstance(value, str) else None
    whole = number is not None and number == number.to_integral_value()
    integer = given.logical_type == "integer"
    most = GREATEST_WHOLE if integer else GREATEST
    if number is None or abs(number) > most or (integer and not whole):
        kind = "a whole number" if integer else "a number"
        findings.add(path, f"{shown(value)} is not {kind} that fits", f"{-most} to {most}")
        return None
    return number


def _day(value: object) -> int | None:
    try:
        day = (
            date.fromisoformat(value) if isinstance(value, str) and len(value) == len("2000-01-01") else None
        )
    except ValueError:
        return None
    return None if day is None else day.year * 10_000 + day.month * 100 + day.day


def _also_as(custom: Custom) -> tuple[str, ...]:
    allowed = "a list of types of a database, such as numeric(12,3)"
    found = []
    for path, value in custom.texts("alsoAs", allowed):
        if re.fullmatch(TYPE, value):
            found.append(value)
        else:
            custom.findings.add(path, f"{shown(value)} is not the name of a type", allowed)
    return tuple(found)


def _never_null(given: Property) -> bool:
    return any(rule.metric == "nullValues" and rule.must_be == 0 for rule in given.quality)


def _position(given: Property, where: Path, findings: Findings) -> int | None:
    if not given.primary_key:
        if given.primary_key_position > 0:
            path = (*where, "primaryKeyPosition")
            findings.add(path, "the column is not in the key", "primaryKey: true beside it, or no position")
        return None
    if given.primary_key_position < 1:
        findings.add((*where, "primaryKey"), "its place in the key is missing", "primaryKeyPosition, from 1")
        return None
    return given.primary_key_position


def _formats(given: Property, custom: Custom, where: Path) -> tuple[str, ...]:
    allowed = f"a list out of {', '.join(FORMATS)}"
    named = custom.texts("formats", allowed)
    if given.options.format is not None:
        named = (((*where, "logicalTypeOptions", "format"), given.options.format.upper()), *named)
    for path, value in named:
        if given.logical_type != "date":
            custom.findings.add(path, f"a column of type {given.logical_type} has none", "no formats")
        elif value not in FORMATS:
            custom.findings.add(path, f"{shown(value)} is not a way to write dates", ", ".join(FORMATS))
    if named:
        return tuple(dict.fromkeys(value for _, value in named))
    return ("YYYY-MM-DD",) if given.logical_type == "date" else ()


def _pattern(given: Property, where: Path, findings: Findings) -> pattern.Pattern | None:
    texts = [((*where, "logicalTypeOptions", "pattern"), given.options.pattern)]
    for at, rule in enumerate(given.quality):
        if rule.metric == "invalidValues" and "pattern" in rule.arguments:
            texts.append(((*where, "quality", str(at), "arguments", "pattern"), rule.arguments["pattern"]))
    written = [(path, text) for path, text in texts if text is not None]
    for path, _ in written[1:]:
        findings.add(path, "a second pattern for one column", "one pattern")
    for path, text in written[:1]:
        try:
            return pattern.parsed(str(text))
        except ValueError as reason:
            problem = f"{shown(text)} is not a pattern that means the same in every database ({reason})"
            findings.add(path, problem, pattern.ALLOWED)
    return None


def _allowed(given: Property, where: Path, findings: Findings) -> tuple[str, ...]:
    listed = [(*where, "enum"), *((*where, "quality", str(at)) for at in range(len(given.quality)))]
    values = [[entry.value for entry in given.enum]]
    values += [_valid_values(rule.metric, rule.arguments) for rule in given.quality]
    written = [(path, each) for path, each in zip(listed, values, strict=True) if each]
    for path, _ in written[1:]:
        findings.add(path, "a second list of values for one column", "one list")
    if written and given.logical_type not in {"string", "integer"}:
        findings.add(written[0][0], f"a column of type {given.logical_type} has none", "no list of values")
    return tuple(dict.fromkeys(str(value) for value in written[0][1])) if written else ()


def _valid_values(metric: str | None, arguments: dict[str, Any]) -> list[Any]:
    values = arguments.get("validValues") if metric == "invalidValues" else None
    return values if isinstance(values, list) else []


def _decimals(given: Property, where: Path, findings: Findings) -> int | None:
    step = given.options.multiple_of
    if step is None:
        return None
    written = f"{step:f}" if isinstance(step, float) else str(step)
    written = written.rstrip("0") if "." in written else written
    if _STEP.fullmatch(written.removesuffix(".")) is None:
        path = (*where, "logicalTypeOptions", "multipleOf")
        findings.add(path, f"{shown(step)} is not a step of decimals", "1, 0.1, 0.01 and so on to 0.000001")
        return None
    return round(-math.log10(float(step)))


def _placeholders(given: Property, custom: Custom) -> tuple[int, ...]:
    allowed = 'a list of dates as year-month-day, such as ["0001-01-01"]'
    found = []
    for path, value in custom.texts("placeholders", allowed):
        day = _day(value)
        if given.logical_type not in {"date", "timestamp"}:
            custom.findings.add(path, f"a column of type {given.logical_type} has none", "no placeholders")
        elif day is None:
            custom.findings.add(path, f"{shown(value)} is not a date", allowed)
        else:
            found.append(day)
    return tuple(found)


def _reference(given: Property, where: Path, findings: Findings) -> Reference | None:
    for at, each in enumerate(given.relationships[1:], 1):
        findings.add((*where, "relationships", str(at)), f"a second one, to {each.to}", "one reference")
    for each in given.relationships[:1]:
        found = re.fullmatch(rf"({NAME})\.({NAME})", each.to)
        if found is not None and given.logical_type in {"string", "integer"}:
            return Reference(found[1], found[2])
        path = (*where, "relationships", "0", "to")
        allowed = "from a text or a whole number to a table and a column, such as production_orders.number"
        findings.add(path, f"{shown(each.to)} cannot be referred to", allowed)
    return None


def _default(custom: Custom) -> Any:
    found = custom.get("default")
    if found is None:
        return None
    path, value = found
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    custom.findings.add(path, f"{shown(value)} is not a value", "a text or a number")
    return None
