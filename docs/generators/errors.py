"""All errors a person may see, by their codes."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, TypeVar

from nakoming.errors import NakomingError
from scripts.problems import SetUpError

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = TypeVar("Kind")

TARGET = "docs/reference/errors.md"
HOUSE = ("nakoming", "blocks", "data_contracts", "tasks", "flows", "deployments", "demo", "scripts")

_HEAD = """# Errors

Each error has a code that does not change, and ends the `nakoming` command with its exit status.
Words in braces are filled with what it is about.

| code | exit status | what it says |
| --- | --- | --- |
"""


def render() -> str:
    """Return the page: one line an error, in the order of the codes."""
    lines = sorted(f"| {kind.code} | {kind.exit_status} | {_cell(kind.template)} |" for kind in kinds())
    return _HEAD + "\n".join(lines) + "\n"


def kinds() -> list[type[NakomingError | SetUpError]]:
    """Return every error class of the house that carries a code of its own."""
    for name in HOUSE:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__") and ".migrations." not in module.name:
                importlib.import_module(module.name)
    found: list[type[NakomingError | SetUpError]] = [*_below(NakomingError), *_below(SetUpError)]
    return [kind for kind in found if "code" in vars(kind) and kind.__module__.partition(".")[0] in HOUSE]


def _below(kind: type[Kind]) -> Iterator[type[Kind]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def _cell(template: str) -> str:
    return " ".join(template.split()).replace("|", "\\|")
