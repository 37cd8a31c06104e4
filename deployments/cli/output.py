"""How commands speak: data on standard output, as a table or as JSON; sentences on standard error."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = Annotated[bool, typer.Option("--json", help="Print the data as JSON.")]
"""The option of every command that prints data."""


def say(sentence: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def print_json(data: Any) -> None:
    """Print data for programs; instants and paths become text."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def print_table(rows: Iterable[Sequence[object]], headings: Sequence[str] = ()) -> None:
    """Print rows in columns, without lines between them."""
    # Half a tenth of a second that programs reading JSON need not wait for.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, show_header=bool(headings), pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        if not headings and not table.columns:
            for _ in row:
                table.add_column(overflow="fold")
        table.add_row(*(Text(str(cell)) for cell in row))
    Console(soft_wrap=False).print(table)
