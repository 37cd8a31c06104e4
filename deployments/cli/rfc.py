"""`nakoming rfc`: start a request for change, and plan a generic one for another release.

Annotations are real objects here, not text: typer reads them when a command is built.
"""

from enum import StrEnum
from typing import Annotated

import typer

from deployments.cli.printing import Json

app = typer.Typer(no_args_is_help=True, help="Requests for change and problems: start one, plan a release.")


class RequestKind(StrEnum):
    """What is asked."""

    RFC = "rfc"
    PROBLEM = "problem"


@app.command()
def start(
    customer: Annotated[str, typer.Argument(help="Short name of the customer.", show_default=False)],
    reference: Annotated[
        str,
        typer.Argument(help="The customer's reference: the subject of the case.", show_default=False),
    ],
    *,
    title: Annotated[str, typer.Option(help="What is asked, in a few words.", show_default=False)],
    requester: Annotated[
        str, typer.Option(help="E-mail address of whoever asks for it.", show_default=False)
    ],
    kind: Annotated[RequestKind, typer.Option(help="A request for change, or a problem.")] = RequestKind.RFC,
    description: Annotated[str, typer.Option(help="What is asked, in full.", show_default=False)] = "",
    document: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|ID", help="A file, or the id of a stored document; may be repeated."),
    ] = None,
    build_command: Annotated[str | None, typer.Option(help="Block of the vendor's build command.")] = None,
    test_command: Annotated[str | None, typer.Option(help="Block of the vendor's test command.")] = None,
    as_json: Json = False,
) -> None:
    """Start the development street for a request; print its Prefect run and where to watch it.

    Starting it again with the same customer and reference joins the case that is there.
    """
    from deployments.cli import rfc_start  # Prefect takes seconds

    rfc_start.started(
        rfc_start.Wanted(
            customer=customer,
            reference=reference,
            title=title,
            requester=requester,
            kind=kind.value,
            description=description,
            documents=tuple(document or ()),
            build_command=build_command,
            test_command=test_command,
        ),
        as_json=as_json,
    )


@app.command()
def plan(
    key: Annotated[
        str, typer.Argument(help="Key of the case, such as rfc/brouwer/2026-014.", show_default=False)
    ],
    release: Annotated[str, typer.Argument(help="Year and month, such as 2027.03.", show_default=False)],
    *,
    reason: Annotated[str, typer.Option(help="Why, as the customer will read it.", show_default=False)] = "",
    by: Annotated[str | None, typer.Option(help="Who plans it; else your login.")] = None,
    as_json: Json = False,
) -> None:
    """Plan a generic request for another release: the customer is told, and its window is chosen again."""
    from deployments.cli import rfc_plan

    rfc_plan.planned(key, release, reason, by, as_json=as_json)
