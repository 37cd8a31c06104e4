"""`nakoming evidence`: whether the chains are whole, what they say, and where they end.

Annotations are real objects here, not text: typer reads them when a command is built.
"""

from typing import Annotated

import typer

from deployments.cli.printing import Json

app = typer.Typer(no_args_is_help=True, help="Evidence: verify the chains, read them, give their heads.")


Chain = Annotated[str, typer.Argument(help="Short name of the customer, or `vendor`.", show_default=False)]


@app.command()
def verify(
    customer: Annotated[
        str | None, typer.Argument(help="Short name of the customer, or `vendor`.", show_default=False)
    ] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All chains; so it is without a customer.")] = False,
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="CHAIN:NUMBER:HASH", help="A head that somebody holds; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that nothing was changed, removed, swapped, put in between or cut off; exit status 1 if so.

    A chain cannot see its own end cut off. The heads that left the house can: those that Nakoming noted are
    used by themselves, and each receipt and report holds one that may be given with --head.
    """
    from deployments.cli import evidence_view  # SQLAlchemy takes 0.2 s

    if not evidence_view.verified(customer, head or [], all_chains=all_, as_json=as_json):
        raise typer.Exit(1)


@app.command()
def show(
    chain: Chain,
    number: Annotated[int, typer.Argument(min=1, help="Number of the record.", show_default=False)],
    *,
    as_json: Json = False,
) -> None:
    """Show one record with what it proves."""
    from deployments.cli import evidence_view

    evidence_view.show(chain, number, as_json=as_json)


@app.command()
def head(
    customer: Annotated[
        str | None, typer.Argument(help="Short name of the customer, or `vendor`; none: all.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Print where the chains end now, as --head takes it, and note that these heads left the house."""
    from deployments.cli import evidence_view

    evidence_view.heads_given(customer, as_json=as_json)
