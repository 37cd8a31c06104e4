"""`nakoming erp`: how the exchange with customers' ERPs stands; what waits for a person in it; the overview.

Annotations are real objects here, not text: typer reads them when a command is built.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.printing import Json

app = typer.Typer(no_args_is_help=True, help="The exchange with ERPs: what waits, settle it, the overview.")
quarantine = typer.Typer(no_args_is_help=True, help="Rows that break their data contract: repair and load.")
dead_letter = typer.Typer(no_args_is_help=True, help="Rows that the ERP refuses: send again, or let go.")
app.add_typer(quarantine, name="quarantine")
app.add_typer(dead_letter, name="dead-letter")


Customer = Annotated[str, typer.Argument(help="Short name of the customer.", show_default=False)]
Number = Annotated[int, typer.Argument(help="Number of the row, as in the list.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why, as auditors will read it.", show_default=False)]
By = Annotated[str | None, typer.Option(help="Who settles it; else your login.")]
DAY = ["%Y-%m-%d"]


@app.command()
def status(
    customer: Annotated[str | None, typer.Argument(help="Only of this customer.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show how each exchange stands: when it ran, what waits, whether the ERP answers, what is paused."""
    from deployments.cli import erp_view  # SQLAlchemy and Prefect take seconds

    erp_view.status(customer, as_json=as_json)


@quarantine.command("list")
def list_quarantine(customer: Customer, *, as_json: Json = False) -> None:
    """Show the rows that wait in quarantine, oldest first, each with the reason in words."""
    from deployments.cli import erp_view

    erp_view.quarantined(customer, as_json=as_json)


@quarantine.command("replay")
def replay_quarantine(
    customer: Customer,
    number: Annotated[int | None, typer.Argument(help="Number of the row, as in the list.")] = None,
    *,
    case: Annotated[
        str | None, typer.Option(help="All rows that this case held back, such as erp_sync/brouwer/…")
    ] = None,
    repair: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="COLUMN=VALUE", help="Repair a column; may be repeated."),
    ] = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Load a row again, repaired or as it is; one that is still bad stays, with its new reasons."""
    from deployments.cli import erp_acts

    if not erp_acts.replayed(customer, number, case, repair or [], by, as_json=as_json):
        raise typer.Exit(1)


@quarantine.command("drop")
def drop_quarantine(
    customer: Customer, number: Number, *, reason: Reason, by: By = None, as_json: Json = False
) -> None:
    """Let a row go: it is not loaded, and not asked about any more."""
    from deployments.cli import erp_acts

    erp_acts.dropped(customer, number, reason, by, as_json=as_json)


@dead_letter.command("list")
def list_dead_letters(customer: Customer, *, as_json: Json = False) -> None:
    """Show what the ERP refuses, oldest first, each with the ERP's own words."""
    from deployments.cli import erp_view

    erp_view.dead_letters(customer, as_json=as_json)


@dead_letter.command("replay")
def replay_dead_letter(customer: Customer, number: Number, *, by: By = None, as_json: Json = False) -> None:
    """Let the next exchange send it again, under the same key."""
    from deployments.cli import erp_acts

    erp_acts.letter_replayed(customer, number, by, as_json=as_json)


@dead_letter.command("drop")
def drop_dead_letter(
    customer: Customer, number: Number, *, reason: Reason, by: By = None, as_json: Json = False
) -> None:
    """Let it go: the ERP never has it, and what waits behind it is sent."""
    from deployments.cli import erp_acts

    erp_acts.letter_dropped(customer, number, reason, by, as_json=as_json)


@app.command()
def overruled(customer: Customer, *, as_json: Json = False) -> None:
    """Show who won where both sides had changed the same: the ERP on master data, the Suite on its own."""
    from deployments.cli import erp_view

    erp_view.overruled(customer, as_json=as_json)


@app.command()
def overview(
    customer: Customer,
    *,
    first: Annotated[datetime, typer.Option("--from", formats=DAY, help="First day, such as 2026-11-01.")],
    until: Annotated[datetime, typer.Option("--until", formats=DAY, help="Last day, included.")],
    out: Annotated[Path, typer.Option(help="File to write; it must not exist.", show_default=False)],
    by: Annotated[str | None, typer.Option(help="Who asks for it; else your login.")] = None,
    as_json: Json = False,
) -> None:
    """Write all transactions of whole days (Europe/Amsterdam) into a workbook for Excel."""
    from deployments.cli import erp_overview

    erp_overview.written(customer, (first.date(), until.date()), out, by, as_json=as_json)
