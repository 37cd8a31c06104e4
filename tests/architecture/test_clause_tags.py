"""The tags of the deployments name the clauses that their flows' docstrings name."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CLAUSE = re.compile(r"S-\d+(?:\.\d+)*[a-z]?")
TAG = "clause:"


def flows_of(source: str) -> dict[str, str]:
    """The docstring of each function decorated with `flow`, by name."""
    return {
        node.name: ast.get_docstring(node) or ""
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any("flow" in ast.unparse(each).partition("(")[0] for each in node.decorator_list)
    }


def clauses_of(docstring: str) -> set[str]:
    """The clauses after `Clauses:`, up to the next heading."""
    found = re.search(r"Clauses:(.*?)(?:\n[A-Z]\w*:|\Z)", docstring, re.DOTALL)
    assert found, "a flow's docstring names its clauses"
    return set(CLAUSE.findall(found[1]))


def differences(deployments: list[dict[str, Any]], root: Path) -> Iterator[str]:
    """Sentences on tags that are not the docstring's clauses, and on flows without a deployment."""
    deployed = {entry["entrypoint"]: entry for entry in deployments}
    for path in sorted((root / "flows").glob("*.py")):
        for name, docstring in flows_of(path.read_text(encoding="utf-8")).items():
            entry = deployed.pop(f"flows/{path.name}:{name}", None)
            if entry is None:
                yield f"{path.name}:{name} has no deployment"
                continue
            tags = {tag.removeprefix(TAG) for tag in entry["tags"] if tag.startswith(TAG)}
            clauses = clauses_of(docstring)
            yield from (f"{entry['name']} lacks the tag of {clause}" for clause in sorted(clauses - tags))
            yield from (
                f"{entry['name']} is tagged {tag}, its docstring is not" for tag in sorted(tags - clauses)
            )
    yield from (f"there is no flow {entrypoint}" for entrypoint in deployed)


def deployments() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))[
        "deployments"
    ]
    return found


def named(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The deployment of that name."""
    return next(each for each in found if each["name"] == name)


def test_the_tags_are_the_clauses_of_the_docstrings() -> None:
    assert list(differences(deployments(), ROOT)) == []


def test_the_street_names_clauses() -> None:
    street = flows_of((ROOT / "flows" / "rfc_street.py").read_text(encoding="utf-8"))["rfc_street"]
    assert {"S-2.2.25", "S-2.3.2a", "S-2.3.6"} <= clauses_of(street)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda found: found[0]["tags"].remove("clause:S-2.3.3"), "rfc-street lacks the tag of S-2.3.3"),
        (
            lambda found: found[0]["tags"].append("clause:S-9.9"),
            "rfc-street is tagged S-9.9, its docstring is not",
        ),
        (lambda found: found.remove(named(found, "reconcile")), "reconcile.py:reconcile has no deployment"),
        (
            lambda found: found[1].update(entrypoint="flows/gone.py:gone"),
            "there is no flow flows/gone.py:gone",
        ),
    ],
)
def test_a_difference_is_found(damage: Any, complaint: str) -> None:
    damaged = deployments()
    damage(damaged)
    assert complaint in list(differences(damaged, ROOT))


def test_every_deployment_tells_operators_what_it_does() -> None:
    assert all(entry["description"].strip() for entry in deployments())
