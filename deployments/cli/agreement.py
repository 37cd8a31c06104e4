"""`nakoming agreement`: what the agreements say, and whether their files are right.

Annotations are real objects here, not text: typer reads them when a command is built.
"""

from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.printing import Json

app = typer.Typer(no_args_is_help=True, help="What the agreements say; check and load their files.")


Files = Annotated[list[Path], typer.Argument(help="Agreement files, or vendor.yaml.", show_default=False)]
SomeFiles = Annotated[
    list[Path] | None,
    typer.Argument(help="Agreement files; none: all of the folder NAKOMING_AGREEMENTS.", show_default=False),
]
Customer = Annotated[str, typer.Argument(help="Short name of the customer, or `vendor`.", show_default=False)]


@app.command()
def check(files: Files, *, as_json: Json = False) -> None:
    """Say everything that is not allowed in these files; exit status 1 when there is anything."""
    from deployments.cli import agreement_files  # pydantic and the rules take 0.2 s

    if not agreement_files.checked(files, as_json=as_json):
        raise typer.Exit(1)


@app.command()
def show(
    customer: Customer,
    *,
    terms: Annotated[bool, typer.Option("--terms", help="Show every term with its clause.")] = False,
    as_json: Json = False,
) -> None:
    """Show a customer's agreement as loaded: officers with roles and validity; with --terms every value.

    The origin of a term is `sla` (the SLA says so), `agreement` (the customer's own documents; the source
    stands beside it) or `ours` (a default of the vendor where the SLA is silent).
    """
    from deployments.cli import agreement_view

    agreement_view.show(customer, terms=terms, as_json=as_json)


@app.command()
def load(files: SomeFiles = None, *, as_json: Json = False) -> None:
    """Load agreements; a file that changed becomes a new version. Cases under way keep theirs.

    All files are checked first: nothing is loaded when one of them is wrong.
    """
    from deployments.cli import agreement_files

    agreement_files.loaded(files or [], as_json=as_json)
