"""`nakoming contract`: what is exchanged with the ERP, and whether documents and tables keep to it.

Annotations are real objects here, not text: typer reads them when a command is built.
"""

from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.printing import Json

app = typer.Typer(
    no_args_is_help=True, help="The data contracts of the exchange with the ERP: check, compare."
)


Target = Annotated[
    str,
    typer.Argument(
        metavar="FILE|CONNECTION",
        help="A contract's file, or the name of a connection's block, such as `acme` or `erp-odbc/acme`.",
        show_default=False,
    ),
]
Contracts = Annotated[
    list[Path] | None,
    typer.Option(
        "--contract",
        help="Hold a connection against this file, instead of those that hold for it; may be given again.",
        show_default=False,
    ),
]


Pages = Annotated[
    Path | None,
    typer.Option("--report", help="With --rows: a folder for a page about each table.", show_default=False),
]


@app.command()
def check(
    target: Target,
    *,
    contracts: Contracts = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="Check the rows of a connection too, with great_expectations.")
    ] = False,
    report: Pages = None,
    as_json: Json = False,
) -> None:
    """Say what is not allowed in a contract's file, or where an ERP's tables differ from the contracts.

    Exit status 1 when there is anything wrong with a file, or anything that stops the exchange with an ERP: a
    table or column that is gone, or of another type; with --rows, more bad rows than the contract allows.
    Other differences are shown and do no harm.
    """
    from deployments.cli import contract_check  # pydantic and the rules take 0.2 s

    asked = contract_check.Asked(contracts or [], rows=rows, report=report)
    if not contract_check.checked(target, asked, as_json=as_json):
        raise typer.Exit(1)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="The contract as it was.", show_default=False)],
    new: Annotated[Path, typer.Argument(help="The contract as it will be.", show_default=False)],
    *,
    as_json: Json = False,
) -> None:
    """Show what changed between two versions of a contract, and whom each change breaks.

    Stricter rules break whoever writes the data, looser ones whoever reads it. Exit status 1 when a change
    breaks anybody.
    """
    from deployments.cli import contract_diff

    if contract_diff.compared(old, new, as_json=as_json):
        raise typer.Exit(1)
