"""`nakoming check`: tries everything this installation stands on.

Annotations are real objects here, not text: typer reads them when a command is built.
"""

from typing import Annotated

import typer

from deployments.cli.printing import Json


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(
    *,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which an attempt counts as failed.")
    ] = 20.0,
    as_json: Json = False,
) -> None:
    """Try everything: records, keys, folders, disk, Prefect, workers, connections, portal, mail, calendars.

    One line each, ok or failed with what to do; a failure hides none of the others. Nothing is changed.
    Exit status 1 when anything failed.
    """
    from deployments.cli import checks  # imports everything there is

    if not checks.checked(timeout, as_json=as_json):
        raise typer.Exit(1)
