"""One module writes evidence, one reads the clock: seen in the source, and seen to fail on a damaged copy."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[3]
_PACKAGES = ("nakoming", "flows", "tasks", "blocks", "deployments", "data_contracts")
_EVIDENCE = {"evidence", "evidence_payloads", "chains"}
_WRITES = {"insert", "update", "delete", "insert_once"}
_CLOCK = re.compile(r"clock_timestamp|julianday\('now'\)|datetime\.now\(|time\.time\(|CURRENT_TIMESTAMP")


def _sources() -> Iterator[tuple[str, str]]:
    for package in _PACKAGES:
        for file in sorted((_ROOT / package).rglob("*.py")):
            yield file.relative_to(_ROOT).as_posix(), file.read_text(encoding="utf-8")


def writers_of_evidence(source: str) -> list[str]:
    """The writing statements on a table of evidence, such as `insert(schema.evidence)`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
            tables = {
                getattr(part, "attr", None) for argument in node.args[:1] for part in ast.walk(argument)
            }
            if name in _WRITES and tables & _EVIDENCE:
                found.append(ast.unparse(node))
    return found


def test_only_one_module_writes_evidence() -> None:
    writers = [name for name, source in _sources() if writers_of_evidence(source)]
    assert writers == ["nakoming/records/evidence.py"]


def test_only_one_module_reads_the_clock() -> None:
    # What the clock of an ERP or of a database to back up says is a fact about it, never a time of ours.
    theirs = ("blocks/erp/", "blocks/backup/facts_")
    readers = [name for name, source in _sources() if _CLOCK.search(source) and not name.startswith(theirs)]
    assert readers == ["nakoming/records/clock.py"]


def test_a_second_writer_would_be_found() -> None:
    assert writers_of_evidence("connection.execute(insert(schema.evidence).values(row))")
    assert writers_of_evidence("tx.insert_once(schema.chains, row)")
    assert not writers_of_evidence("connection.execute(select(schema.evidence))")
