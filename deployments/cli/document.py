"""`nakoming document`: documents of a customer, stored sealed and found again by their id.

Annotations are real objects here, not text: typer reads them when a command is built.
"""

from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.printing import Json

app = typer.Typer(no_args_is_help=True, help="Documents of customers: add, list, get.")


Customer = Annotated[str, typer.Argument(help="Short name of the customer.", show_default=False)]


@app.command()
def add(
    customer: Customer,
    files: Annotated[list[Path], typer.Argument(help="Files to store.", show_default=False)],
    *,
    by: Annotated[str | None, typer.Option(help="Who brings them; else your login.")] = None,
    as_json: Json = False,
) -> None:
    """Store documents and print their ids; what is stored already keeps its id."""
    from deployments.cli import document_files  # SQLAlchemy takes 0.2 s

    document_files.added(customer, files, by, as_json=as_json)


@app.command("list")
def list_(customer: Customer, *, as_json: Json = False) -> None:
    """Show what is stored of a customer, the newest first."""
    from deployments.cli import document_files

    document_files.listed(customer, as_json=as_json)


@app.command()
def get(
    document: Annotated[str, typer.Argument(metavar="ID", help="Id of the document.", show_default=False)],
    *,
    out: Annotated[Path, typer.Option(help="File to write; it must not exist.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Write a document to a file, after seeing that it is what was stored."""
    from deployments.cli import document_files

    document_files.got(document, out, as_json=as_json)
