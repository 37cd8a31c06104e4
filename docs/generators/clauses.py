"""Every duty of the agreement, and where it is kept: flow, test, evidence."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = "docs/clauses.md"
ROOT = Path(__file__).resolve().parents[2]
REGISTER = ROOT / "nakoming" / "agreement" / "clauses.yaml"
CLAUSE = re.compile(r"S-\d+\.\d+\.\d+[a-z]?")
PROVING = ("flows", "tasks/backup", "nakoming/records")  # a ledger proves with its own transaction
ANSWERED = "Event.GATE_FULFILLED"

_HEAD = """# Clauses

Each duty of the agreement, the flow that keeps it, the tests that prove it and the evidence it leaves. A
clause counts as kept when a flow claims it in its docstring and all three are there; the others are listed
below.

"""


@dataclass
class Kept:
    """Where a clause is kept."""

    flows: set[str] = field(default_factory=set)
    tests: set[str] = field(default_factory=set)
    evidence: set[str] = field(default_factory=set)

    @property
    def missing(self) -> list[str]:
        """What a claimed clause still lacks."""
        parts = {"a flow": self.flows, "a test": self.tests, "evidence": self.evidence}
        return [name for name, found in parts.items() if not found]


def register() -> dict[str, dict[str, list[str] | str]]:
    """Every clause with its duty and the flows that are to keep it."""
    read: dict[str, dict[str, list[str] | str]] = yaml.safe_load(REGISTER.read_text(encoding="utf-8"))
    return read


def found(root: Path = ROOT) -> dict[str, Kept]:
    """Every clause that is claimed, tested or proven somewhere."""
    clauses: dict[str, Kept] = {}
    for name, clause in _claims(root / "flows"):
        clauses.setdefault(clause, Kept()).flows.add(name)
    for name, clause in _tested(root / "tests"):
        clauses.setdefault(clause, Kept()).tests.add(name)
    for folder in PROVING:
        for name, clause in _proven(root / folder):
            clauses.setdefault(clause, Kept()).evidence.add(name)
    return clauses


def claimed(root: Path = ROOT) -> dict[str, Kept]:
    """The clauses that a flow claims to keep."""
    return {clause: kept for clause, kept in found(root).items() if kept.flows}


def not_kept(root: Path = ROOT) -> list[str]:
    """The clauses that no flow claims yet, in the order of the register."""
    kept = claimed(root)
    return [clause for clause in register() if clause not in kept]


def render() -> str:
    """Return the page."""
    known = register()
    kept = claimed()
    lines = [_HEAD, "| clause | duty | flow | tests | evidence |\n| --- | --- | --- | --- | --- |\n"]
    lines.extend(_row(clause, str(known[clause]["duty"]), kept[clause]) for clause in known if clause in kept)
    lines.append(f"\n## Not kept yet\n\n{len(known) - len(kept)} of {len(known)} clauses.\n\n")
    lines.append("| clause | duty | flow to come |\n| --- | --- | --- |\n")
    for clause in not_kept():
        flows = ", ".join(known[clause]["flows"]) or "–"
        lines.append(f"| {clause} | {_cell(str(known[clause]['duty']))} | {flows} |\n")
    return "".join(lines)


def _row(clause: str, duty: str, kept: Kept) -> str:
    cells = (_list(kept.flows), _list(kept.tests), _list(kept.evidence))
    return f"| {clause} | {_cell(duty)} | {' | '.join(cells)} |\n"


def _list(names: set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "–"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _claims(folder: Path) -> Iterator[tuple[str, str]]:
    """Flow functions and the clauses that their docstring names."""
    for tree, path in _trees(folder):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_flow(node):
                text = (ast.get_docstring(node) or "").partition("Clauses:")[2].partition("Gates:")[0]
                yield from ((path.stem, clause) for clause in CLAUSE.findall(text))


def _is_flow(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    called = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    return any(isinstance(name, ast.Name) and name.id == "flow" for name in called)


def _tested(folder: Path) -> Iterator[tuple[str, str]]:
    """Tests, or whole files of them, and the clauses that their mark `clause` names."""
    for tree, path in _trees(folder):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for mark in node.decorator_list:
                    yield from ((f"{path.stem}::{node.name}", clause) for clause in _marked(mark))
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
                yield from ((path.stem, clause) for each in ast.walk(node) for clause in _marked(each))


def _marked(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.clause":
        return [ast.literal_eval(argument) for argument in node.args]
    return []


def _proven(folder: Path) -> Iterator[tuple[str, str]]:
    """Events that are written as evidence of a clause.

    A question whose deadline names a clause proves it by its end. A term's deadline alone proves nothing: it
    leaves a record only when it is missed.
    """
    for tree, path in _trees(folder):
        for function in (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)):
            for call in (each for each in ast.walk(function) if isinstance(each, ast.Call)):
                name = ast.unparse(call.func).rpartition(".")[2]
                if name == "prove":
                    clauses = _values(call, function, tree)
                    yield from ((event, clause) for event in _events(call, function) for clause in clauses)
                elif name == "Due":
                    yield from ((f"{path.stem}: {ANSWERED}", each) for each in _values(call, function, tree))


def _events(call: ast.Call, function: ast.FunctionDef) -> list[str]:
    """The events that a call of `prove` may write, also through a variable of its function."""
    named = {each.id for argument in call.args for each in ast.walk(argument) if isinstance(each, ast.Name)}
    given = (
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and {ast.unparse(each) for each in node.targets} & named
    )
    places = (*call.args, *given)
    found = {
        ast.unparse(each) for place in places for each in ast.walk(place) if isinstance(each, ast.Attribute)
    }
    return sorted(each for each in found if each.startswith("Event."))


def _values(call: ast.Call, function: ast.FunctionDef, tree: ast.Module) -> list[str]:
    """What the keyword `clause` of a call may be: written out, or a field of an object of this module."""
    for keyword in call.keywords:
        if keyword.arg == "clause":
            if isinstance(keyword.value, ast.Constant):
                return [str(keyword.value.value)]
            if isinstance(keyword.value, ast.Attribute):
                return _of_kind(ast.unparse(keyword.value.value), function, tree)
    return []


def _of_kind(name: str, function: ast.FunctionDef, tree: ast.Module) -> list[str]:
    """The clauses of all objects in a module that are of the class of that argument."""
    kinds = {
        ast.unparse(each.annotation) for each in function.args.args if each.arg == name and each.annotation
    }
    made = (each for each in ast.walk(tree) if isinstance(each, ast.Call) and ast.unparse(each.func) in kinds)
    given = (keyword for each in made for keyword in each.keywords if keyword.arg == "clause")
    return [str(each.value.value) for each in given if isinstance(each.value, ast.Constant)]


def _trees(folder: Path) -> Iterator[tuple[ast.Module, Path]]:
    for path in sorted(folder.rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8")), path
