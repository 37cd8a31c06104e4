"""What the standard has no field for: the custom properties that are known, and what each may hold."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, TypeVar

from data_contracts.odcs import NAME
from nakoming.agreement.problems import Problem
from nakoming.agreement.values import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.odcs import CustomProperty

T = TypeVar("T")
Path = tuple[str, ...]
LANGUAGES: Final = ("nl", "en")


@dataclass
class Findings:
    """Everything wrong with a document, as it is found."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, path: Path, problem: str, allowed: str) -> None:
        """Note one thing."""
        self.problems.append(Problem(path, problem, allowed))


@dataclass
class Custom:
    """The custom properties of one part of a document, and where they stand."""

    given: dict[str, tuple[Path, Any]]
    where: Path
    findings: Findings

    def get(self, name: str) -> tuple[Path, Any] | None:
        """The path and value of a property; None when it is not given."""
        return self.given.get(name)

    def need(self, name: str, allowed: str) -> tuple[Path, Any] | None:
        """The same; that it is missing is noted."""
        if name not in self.given:
            self.findings.add(self.where, f"the custom property {name} is missing", allowed)
        return self.given.get(name)

    def mapping(self, name: str, keys: Sequence[str], allowed: str) -> tuple[Path, dict[str, Any]] | None:
        """A property that is a mapping with no other keys than `keys`."""
        found = self.get(name)
        if found is None:
            return None
        path, value = found
        if not isinstance(value, dict):
            self.findings.add(path, f"{shown(value)} is not a mapping", allowed)
            return None
        for key in value:
            if key not in keys:
                self.findings.add((*path, str(key)), "the key is not known", ", ".join(keys))
        return path, value

    def words(self, name: str) -> dict[str, str]:
        """A property that says one thing in each language."""
        found = self.mapping(name, LANGUAGES, "nl and en, each with a text")
        if found is None:
            return {}
        path, value = found
        for language in LANGUAGES:
            if not isinstance(value.get(language), str):
                self.findings.add(path, f"the text in {language} is missing", "nl and en, each with a text")
        return {key: text for key, text in value.items() if isinstance(text, str)}

    def identifier(self, name: str) -> str | None:
        """A property that is the name of a table or column."""
        found = self.get(name)
        if found is None:
            return None
        path, value = found
        if isinstance(value, str) and re.fullmatch(NAME, value):
            return value
        self.findings.add(
            path,
            f"{shown(value)} is not the name of a table or column",
            "1 to 63 letters, digits and underscores, a letter first",
        )
        return None

    def texts(self, name: str, allowed: str) -> tuple[tuple[Path, str], ...]:
        """A property that is a list of texts, each with its path."""
        found = self.get(name)
        if found is None:
            return ()
        path, value = found
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value) or not value:
            self.findings.add(path, f"{shown(value)} is not a list of texts", allowed)
            return ()
        return tuple(((*path, str(at)), each) for at, each in enumerate(value))


def custom_of(
    given: Sequence[CustomProperty], known: Sequence[str], where: Path, findings: Findings
) -> Custom:
    """The custom properties by name; those that are not known, or stand there twice, are noted."""
    found: dict[str, tuple[Path, Any]] = {}
    for at, each in enumerate(given):
        path = (*where, "customProperties", str(at))
        if each.property not in known:
            near = difflib.get_close_matches(each.property, known, n=1, cutoff=0.7)
            hint = f", perhaps {near[0]} was meant" if near else ""
            problem = f"the custom property {each.property} is not known{hint}"
            findings.add((*path, "property"), problem, ", ".join(known))
        elif each.property in found:
            findings.add((*path, "property"), f"{each.property} stands here a second time", "each once")
        else:
            found[each.property] = ((*path, "value"), each.value)
    return Custom(found, where, findings)


def decimal_of(value: object) -> Decimal | None:
    """The number a document says, exactly as it is written; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
