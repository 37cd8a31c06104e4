"""`nakoming backup`: the backups of customers, what they are worth now, and their keys.

Annotations are real objects here, not text: typer reads them when a command is built.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.printing import Json

app = typer.Typer(no_args_is_help=True, help="Backups of customers: list, show, verify, history, keys.")
key = typer.Typer(no_args_is_help=True, help="Keys of backups: list, rotate, escrow copies.")
app.add_typer(key, name="key")

Customer = Annotated[str, typer.Argument(help="Short name of the customer.", show_default=False)]
SetId = Annotated[str, typer.Argument(metavar="SET", help="The backup, as in the list.", show_default=False)]
By = Annotated[str | None, typer.Option(help="Who does it; else your login.")]


class Site(StrEnum):
    """The two sites of an agreement."""

    FIRST = "first"
    SECOND = "second"


@app.command("list")
def list_backups(
    customer: Annotated[str | None, typer.Argument(help="All backups of this customer.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show how old the newest restorable backup of each customer is, or all backups of one."""
    from deployments.cli import backup_view  # SQLAlchemy takes time

    if customer is None:
        backup_view.ages(as_json=as_json)
    else:
        backup_view.listed(customer, as_json=as_json)


@app.command()
def show(customer: Customer, set_id: SetId, *, as_json: Json = False) -> None:
    """Show what the ledger knows of one backup, and every restore and reading of it."""
    from deployments.cli import backup_view

    backup_view.shown(customer, set_id, as_json=as_json)


@app.command()
def verify(
    customer: Customer,
    set_id: SetId,
    *,
    site: Annotated[Site | None, typer.Option(help="Only at this site; else at both.")] = None,
    as_json: Json = False,
) -> None:
    """Read a backup now, in full, and compare it with the ledger; exit status 1 if a copy is not good."""
    from deployments.cli import backup_verify

    if not backup_verify.verified(customer, set_id, site.value if site else None, as_json=as_json):
        raise typer.Exit(1)


@app.command()
def history(
    customer: Customer,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Needed: the history is only carried out by the night's run.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show which backups would be kept and which deleted now, each with its rule; nothing is deleted."""
    from deployments.cli import backup_view

    backup_view.history(customer, dry_run=dry_run, as_json=as_json)


@key.command("list")
def list_keys(customer: Customer, *, as_json: Json = False) -> None:
    """Show the generations of a customer's key, and how many backups need each."""
    from deployments.cli import backup_key_acts

    backup_key_acts.listed(customer, as_json=as_json)


@key.command()
def rotate(customer: Customer, *, by: By = None, as_json: Json = False) -> None:
    """Make a new generation for the backups from now on; the older ones stay for the backups they opened."""
    from deployments.cli import backup_key_acts

    backup_key_acts.rotated(customer, by, as_json=as_json)


@key.command()
def escrow(
    customer: Customer,
    *,
    recipient: Annotated[
        str, typer.Option("--to", help="Public key of age of whoever keeps the copy: age1…")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the copies; one file a generation.")],
    by: By = None,
    as_json: Json = False,
) -> None:
    """Write a copy of every generation of a key that only the holder of another age key can read."""
    from deployments.cli import backup_key_acts

    backup_key_acts.escrowed(customer, recipient, out, by, as_json=as_json)
