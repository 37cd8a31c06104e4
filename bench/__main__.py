"""`python -m bench [NAME]`: measure, show a table, write `build/bench.json`.

Each benchmark runs in a process of its own, so that none changes the settings of the next.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from bench import figures, pages

BENCHMARKS = {
    "gate-wake": "bench.gate_wake",
    "step-overhead": "bench.step_overhead",
    "warm-worker": "bench.warm_worker",
    "waiting-cases": "bench.waiting_cases",
    "evidence-verify": "bench.evidence_verify",
    "portal-post": "bench.portal_post",
    "excel-overview": "bench.excel_overview",
    "odbc-read": "bench.odbc_read",
    "erp-full-load": "bench.erp_full_load",
    "erp-incremental": "bench.erp_incremental",
    "backup-postgres": "bench.backup_postgres",
    "backup-sqlite": "bench.backup_sqlite",
    "backup-fanout": "bench.backup_fanout",
    "demo": "bench.demo_time",
}


def main() -> int:
    """Run what was asked for."""
    asked = _arguments()
    if asked.write_docs:
        pages.write()
        return 0
    if asked.into:
        _one(asked)
        return 0
    names = [asked.name] if asked.name else list(BENCHMARKS)
    console, failed, found = Console(), [], []
    for name in names:
        with console.status(f"{name} …"):
            measured = _apart(name, asked)
        if measured is None:
            failed.append(name)
            continue
        found += measured
        figures.store(measured)
    figures.show(found, console)
    if failed:
        console.print(f"[red]Not measured: {', '.join(failed)}[/red]")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure; write build/bench.json.")
    names = list(BENCHMARKS)
    parser.add_argument("name", nargs="?", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--count", type=int, help="how often; without it each benchmark's own number")
    parser.add_argument("--no-peers", action="store_true", help="leave out the slow peers")
    parser.add_argument("--write-docs", action="store_true", help="write docs/reference/benchmarks.md")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _apart(name: str, asked: argparse.Namespace) -> list[figures.Figure] | None:
    with TemporaryDirectory(prefix="bench-") as folder:
        into = Path(folder, "figures.json")
        command = [sys.executable, "-m", "bench", name, "--into", str(into)]
        command += ["--count", str(asked.count)] if asked.count else []
        command += ["--no-peers"] if asked.no_peers else []
        if subprocess.run(command, check=False).returncode:
            return None
        return [figures.from_data(each) for each in json.loads(into.read_text(encoding="utf-8"))]


def _one(asked: argparse.Namespace) -> None:
    run = importlib.import_module(BENCHMARKS[asked.name]).run
    count = {"count": asked.count} if asked.count else {}
    measured = run(**count, peers=not asked.no_peers)
    asked.into.write_text(json.dumps([figures.as_whole(each) for each in measured]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
