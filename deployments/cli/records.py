"""`nakoming records`: the records database itself.

Annotations are real objects here, not text: typer reads them when a command is built.
"""

from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.printing import Json

app = typer.Typer(no_args_is_help=True, help="The records database: upgrade, backup, restore.")


@app.command()
def upgrade(*, as_json: Json = False) -> None:
    """Make the records, or bring them to the schema of this program; cases under way survive it."""
    from deployments.cli import records_acts  # Alembic takes 0.3 s

    records_acts.upgraded(as_json=as_json)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="File to write; it must not exist.", show_default=False)],
    *,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Put the keys in it: then whoever holds it can read it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a backup of everything as it is at one instant, while the system runs.

    Without the keys nobody can read it, and it can only be restored where they are: keep a copy of the folder
    of keys elsewhere.
    """
    from deployments.cli import records_acts

    records_acts.backed_up(target, with_keys=with_keys, as_json=as_json)


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="File of a backup.", show_default=False)],
    *,
    as_json: Json = False,
) -> None:
    """Restore a backup into an empty database, with the system stopped; exit status 1 if evidence is damaged.

    What happened after the backup is not known any more, so every case under way asks before it does anything
    again. Mails that were waiting go out, perhaps a second time with the same Message-ID.
    """
    from deployments.cli import records_acts

    if not records_acts.restored(source, as_json=as_json):
        raise typer.Exit(1)
