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
_TERMS = {"our_duty", "their_right"}

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
    for name, clause in _proven(root / "flows"):
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
    """Tests and the clauses that their mark `clause` names."""
    for tree, path in _trees(folder):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.clause":
                        name = f"{path.stem}::{node.name}"
                        yield from ((name, ast.literal_eval(argument)) for argument in mark.args)


def _proven(folder: Path) -> Iterator[tuple[str, str]]:
    """Evidence (or a deadline that leaves it) and the clause it names."""
    from nakoming.agreement.term_groups import LeadTimes

    clauses = {name: _clause_of(LeadTimes, name) for name in LeadTimes.model_fields}
    for tree, path in _trees(folder):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield from _named(node, path)
                yield from _by_term(node, path, clauses)


def _clause_of(model: type, name: str) -> str:
    from nakoming.agreement.metadata import marks_of

    marks = marks_of(model.model_fields[name])  # type: ignore[attr-defined]
    return marks[0] if marks else ""


def _named(node: ast.Call, path: Path) -> Iterator[tuple[str, str]]:
    for keyword in node.keywords:
        if keyword.arg == "clause" and isinstance(keyword.value, ast.Constant):
            events = [ast.unparse(a) for a in node.args if ast.unparse(a).startswith("Event.")]
            yield (events[0] if events else path.stem), str(keyword.value.value)


def _by_term(node: ast.Call, path: Path, clauses: dict[str, str]) -> Iterator[tuple[str, str]]:
    if isinstance(node.func, ast.Attribute) and node.func.attr in _TERMS and node.args:
        term = str(ast.literal_eval(node.args[0])).rpartition(".")[2]
        if clauses.get(term):
            yield f"{path.stem}: deadline {term}", clauses[term]


def _trees(folder: Path) -> Iterator[tuple[ast.Module, Path]]:
    for path in sorted(folder.rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8")), path
