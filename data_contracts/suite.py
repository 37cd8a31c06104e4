"""A contract as a great_expectations suite of that library's own expectations, readable without this program.

The suite looks at rows as `data_contracts.sql.view_of` selects them (or `data_contracts.frames` makes them):
beside each column's trimmed text stands its value, so that text is judged as text and numbers as numbers.

Importing great_expectations takes seconds; it is imported when a suite is asked for, and by nothing else.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from data_contracts.dates import INSTANT, date_regex
from data_contracts.names import ALIVE, KNOWN, VALUE, place_name
from data_contracts.numbers import NUMBER, WHOLE
from data_contracts.rules import NO, YES, rules_of

if TYPE_CHECKING:
    from decimal import Decimal

    from great_expectations import ExpectationSuite
    from great_expectations.expectations.expectation import Expectation

    from data_contracts.contract import Column, Contract
    from data_contracts.rules import Rule

RULE = "rule"
"""Where an expectation says which rule it stands for, among its `meta`."""


def library() -> Any:
    """Return great_expectations, with its reports home switched off."""
    import os

    # Read when the library is imported; nothing of ours is anybody else's business.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        # It imports modules of Python that are on their way out; that is not for its users to mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations
    return great_expectations


def suite_of(contract: Contract, *, references: bool = True) -> ExpectationSuite:
    """Return the suite of a contract: one expectation a rule, named in its meta.

    Args:
        contract: what was agreed.
        references: whether the rows come with what is known of their references.
    """
    gx = library()
    rules = [rule for rule in rules_of(contract) if references or rule.kind != "reference"]
    meta = {"interface": contract.interface, "version": contract.version, "owner": contract.owner}
    suite: ExpectationSuite = gx.ExpectationSuite(
        name=f"{contract.interface} {contract.version}",
        expectations=[expectation_of(rule) for rule in rules],
        meta=meta,
    )
    return suite


def expectation_of(rule: Rule) -> Expectation:
    """Return the expectation that stands for a rule."""
    gx = library()
    name, arguments = _MEANINGS[rule.kind](rule)
    condition = _condition(rule)
    if condition is not None:
        arguments["row_condition"] = condition
    made: Expectation = getattr(gx.expectations, name)(meta={RULE: rule.name}, **arguments)
    return made


def _condition(rule: Rule) -> Any:
    from great_expectations.expectations.row_conditions import Column as Asked  # the library is there by now

    conditions: list[Any] = []
    if rule.of_living:
        conditions.append(Asked(ALIVE) == 1)
    if rule.kind == "range":
        conditions += [Asked(_value(rule.column)) != each for each in rule.column.placeholders]
    if rule.kind in {"decimals", "range"} and rule.column.logical_type != "string":
        conditions.append(Asked(_value(rule.column)).is_not_null())
    found: Any = None
    for condition in conditions:
        found = condition if found is None else found & condition
    return found


def _value(column: Column) -> str:
    return column.name if column.logical_type == "string" else f"{column.name}{VALUE}"


def _required(rule: Rule) -> tuple[str, dict[str, Any]]:
    return "ExpectColumnValuesToNotBeNull", {"column": rule.column.name}


def _type(rule: Rule) -> tuple[str, dict[str, Any]]:
    column = rule.column
    if column.logical_type == "boolean":
        return "ExpectColumnValuesToBeInSet", {"column": column.name, "value_set": [*YES, *NO]}
    forms = {
        "integer": WHOLE,
        "number": NUMBER,
        "timestamp": rf"\A{INSTANT}\Z",
        "date": date_regex(column.formats),
    }
    return _regex(column, forms[column.logical_type])


def _regex(column: Column, regex: str) -> tuple[str, dict[str, Any]]:
    return "ExpectColumnValuesToMatchRegex", {"column": column.name, "regex": regex}


def _length(rule: Rule) -> tuple[str, dict[str, Any]]:
    low, high = rule.column.min_length, rule.column.max_length
    bounds = {"column": rule.column.name, "min_value": low, "max_value": high}
    return "ExpectColumnValueLengthsToBeBetween", bounds


def _pattern(rule: Rule) -> tuple[str, dict[str, Any]]:
    assert rule.column.pattern is not None  # noqa: S101 - that is when there is such a rule
    return _regex(rule.column, rule.column.pattern.regex)


def _allowed(rule: Rule) -> tuple[str, dict[str, Any]]:
    column = rule.column
    values: list[Any] = list(column.allowed)
    if column.logical_type == "integer":
        values = [int(value) for value in values]
    return "ExpectColumnValuesToBeInSet", {"column": _value(column), "value_set": values}


def _placeholder(rule: Rule) -> tuple[str, dict[str, Any]]:
    days = list(rule.column.placeholders)
    return "ExpectColumnValuesToNotBeInSet", {"column": _value(rule.column), "value_set": days}


def _range(rule: Rule) -> tuple[str, dict[str, Any]]:
    column = rule.column
    bounds = {"min_value": _plain(column.minimum), "max_value": _plain(column.maximum)}
    return "ExpectColumnValuesToBeBetween", {"column": _value(column), **bounds}


def _plain(number: Decimal | None) -> int | float | None:
    if number is None:
        return None
    return int(number) if number == number.to_integral_value() else float(number)


def _decimals(rule: Rule) -> tuple[str, dict[str, Any]]:
    # Zeros at the end say nothing, so what is refused is another digit behind the last one allowed.
    fine = rf"[.][0-9]{{{rule.column.decimals}}}[0-9]*[1-9]"
    return "ExpectColumnValuesToNotMatchRegex", {"column": rule.column.name, "regex": fine}


def _reference(rule: Rule) -> tuple[str, dict[str, Any]]:
    return "ExpectColumnValuesToBeInSet", {"column": f"{rule.column.name}{KNOWN}", "value_set": [1]}


def _alone(rule: Rule) -> tuple[str, dict[str, Any]]:
    return "ExpectColumnValuesToBeInSet", {"column": place_name(rule), "value_set": [1]}


_MEANINGS = {
    "required": _required,
    "type": _type,
    "length": _length,
    "pattern": _pattern,
    "allowed": _allowed,
    "placeholder": _placeholder,
    "range": _range,
    "decimals": _decimals,
    "reference": _reference,
    "duplicate": _alone,
    "overtaken": _alone,
}
