"""`nakoming case`: what is under way, what it waits for, what happened in it.

Annotations are real objects here, not text: typer reads them when a command is built.
"""

from typing import Annotated

import typer

from deployments.cli.printing import Json

app = typer.Typer(no_args_is_help=True, help="Cases: what is under way and what it waits for.")


Key = Annotated[
    str, typer.Argument(help="Key of the case, such as rfc/brouwer/2026-014.", show_default=False)
]


@app.command("list")
def list_(
    *,
    customer: Annotated[str | None, typer.Option(help="Only of this customer.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    as_json: Json = False,
) -> None:
    """Show the cases, the newest first, with what each waits for, for whom and until when."""
    from deployments.cli import case_view  # SQLAlchemy takes 0.2 s

    case_view.listed(customer, ended=all_, as_json=as_json)


@app.command()
def show(
    key: Key,
    *,
    output: Annotated[
        str | None, typer.Option(metavar="STEP", help="Print only what the command of this step printed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show one case: how it stands, what it waits for, and all that happened, with evidence numbers.

    Mails stand with their arrival grade: relayed (our relay took it), accepted (the recipient's mail server
    took it), bounced or refused.
    """
    from deployments.cli import case_view

    if output is None:
        case_view.show(key, as_json=as_json)
    else:
        case_view.show_output(key, output)


@app.command()
def withdraw(
    key: Key,
    *,
    reason: Annotated[str, typer.Option(help="Why, as those who were asked will read it.")],
    by: Annotated[str | None, typer.Option(help="Who withdraws it; else your login.")] = None,
    as_json: Json = False,
) -> None:
    """End a case because it was withdrawn: its questions are revoked, and who was asked is told."""
    from deployments.cli import case_acts

    case_acts.withdraw(key, reason, by, as_json=as_json)
