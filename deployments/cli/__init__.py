"""The `nakoming` command. `deployments/cli/<noun>.py` holds the commands of one noun and is listed here.

Each such module has `app`, a Typer with the noun's commands. It is imported when the command line is read,
so what is heavy is imported inside its commands. Commands raise `NakomingError`; what prints data takes
`--json`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import typer

from deployments.cli import check, system
from deployments.cli.printing import say
from deployments.records_trouble import explained
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Sequence

NOUNS: tuple[str, ...] = (
    "agreement",
    "contract",
    "document",
    "case",
    "gate",
    "rfc",
    "erp",
    "backup",
    "evidence",
    "records",
)
"""The modules with commands, in the order in which `nakoming --help` shows them."""

INTERRUPTED = 130
CLOSED_PIPE = 141


def make_app(nouns: Sequence[str] = NOUNS) -> typer.Typer:
    """The command with all its nouns."""
    app = typer.Typer(
        name="nakoming",
        help="Runs the service level agreement of a software vendor, with evidence.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    system.add_to(app)
    check.add_to(app)
    for noun in nouns:
        app.add_typer(import_module(f"deployments.cli.{noun}").app, name=noun)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out one command and exit: 0 done, 1 not done, 2 wrongly called, else what the error says."""
    raise SystemExit(run(make_app(), arguments))


def _unforeseen(problem: Exception) -> int:
    """Click's own errors, and a records database that is away; a fault of ours is shown whole."""
    show = getattr(problem, "show", None)
    if show is not None:
        show()
        return int(getattr(problem, "exit_code", 2))
    known = explained(problem)
    if known is None:
        raise problem
    say(f"{known} [{known.code}]")
    return known.exit_status


def run(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; every error of ours is one sentence on standard error, with its code."""
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        status = app(args=given, prog_name="nakoming", standalone_mode=False)
    except NakomingError as problem:
        say(f"{problem} [{problem.code}]")
        return problem.exit_status
    except typer.Exit as end:
        return end.exit_code
    except (typer.Abort, KeyboardInterrupt):
        say("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return CLOSED_PIPE
    except Exception as problem:  # noqa: BLE001 - what is no person's to put right is raised again
        return _unforeseen(problem)
    return status if isinstance(status, int) else 0
