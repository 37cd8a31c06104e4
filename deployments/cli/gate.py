"""`nakoming gate`: questions that wait, and answers that came by letter, telephone or e-mail.

Annotations are real objects here, not text: typer reads them when a command is built.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.printing import Json

app = typer.Typer(no_args_is_help=True, help="Questions to people: what waits; enter what came on paper.")


Key = Annotated[
    str, typer.Argument(help="Key of the case, such as rfc/brouwer/2026-014.", show_default=False)
]
GateName = Annotated[
    str,
    typer.Argument(metavar="GATE", help="Name of the question, as `gate list` shows it.", show_default=False),
]
Person = Annotated[
    str, typer.Option(help="Who was asked, such as joost-smit or brouwer:joost-smit.", show_default=False)
]


class Came(StrEnum):
    """How an answer came that was not given through its link."""

    LETTER = "letter"
    TELEPHONE = "telephone"
    EMAIL = "email"


class Reading(StrEnum):
    """The language in which a question is shown."""

    EN = "en"
    NL = "nl"


@app.command("list")
def list_(
    *,
    customer: Annotated[str | None, typer.Option(help="Only of this customer.")] = None,
    as_json: Json = False,
) -> None:
    """Show every question that is open, the earliest deadline first."""
    from deployments.cli import gate_view  # SQLAlchemy takes 0.2 s

    gate_view.listed(customer, as_json=as_json)


@app.command()
def show(
    key: Key,
    gate: GateName,
    *,
    language: Annotated[Reading, typer.Option(help="Language of the question.")] = Reading.EN,
    as_json: Json = False,
) -> None:
    """Show a question as it was put: what may be answered, to which documents, by whom, until when."""
    from deployments.cli import gate_view

    gate_view.show(key, gate, language.value, as_json=as_json)


@app.command()
def answer(
    key: Key,
    gate: GateName,
    *,
    person: Person,
    verb: Annotated[str, typer.Option(help="What was answered, such as approve.", show_default=False)],
    via: Annotated[Came, typer.Option(help="How it came.", show_default=False)],
    received_on: Annotated[
        datetime,
        typer.Option(
            metavar="DATE", help="The day on which it came, such as 2027-01-31.", formats=["%Y-%m-%d"]
        ),
    ],
    option: Annotated[str | None, typer.Option(help="The choice, where one is asked.")] = None,
    remark: Annotated[str, typer.Option(help="What was said with it.", show_default=False)] = "",
    fact: Annotated[
        list[str] | None, typer.Option(help="A fact that is asked, as name=value; may be repeated.")
    ] = None,
    document: Annotated[
        list[Path] | None, typer.Option(help="A file that is delivered with the answer; may be repeated.")
    ] = None,
    scan: Annotated[
        Path | None, typer.Option(help="The letter or e-mail itself; it must be there for both.")
    ] = None,
    entered_by: Annotated[str | None, typer.Option(help="Who enters it; else your login.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether this is the question.")] = False,
    as_json: Json = False,
) -> None:
    """Enter an answer that came by letter, telephone or e-mail.

    What is asked is shown first, and the answer is bound to exactly that. The evidence says how and when it
    came and who entered it; everyone who was asked gets the receipt.
    """
    from deployments.cli import gate_entry

    gate_entry.answer(
        key,
        gate,
        gate_entry.Entry(
            person=person,
            verb=verb,
            via=via.value,
            received_on=received_on.date(),
            option=option,
            remark=remark,
            facts=tuple(fact or ()),
            documents=tuple(document or ()),
            scan=scan,
            entered_by=entered_by,
        ),
        confirmed=yes,
        as_json=as_json,
    )


@app.command()
def reissue(key: Key, gate: GateName, *, person: Person, as_json: Json = False) -> None:
    """Send a person a new link to a question; the old link is dead from then on."""
    from deployments.cli import gate_acts

    gate_acts.reissue(key, gate, person, as_json=as_json)


@app.command()
def revoke(
    key: Key,
    gate: GateName,
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the evidence.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Withdraw a question: its links are dead, and its case goes on without an answer."""
    from deployments.cli import gate_acts

    gate_acts.revoke(key, gate, reason, as_json=as_json)
