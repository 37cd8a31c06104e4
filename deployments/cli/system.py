"""The commands that start things: `up`, `demo`, `portal`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.output import print_table, say
from deployments.embedded.home import Home
from deployments.embedded.options import HOST, Options
from nakoming.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deployments.embedded.system import System

PORT_HELP = "Port of {} on this machine (NAKOMING_{}_PORT)."

PortalPort = Annotated[int | None, typer.Option(help=PORT_HELP.format("the portal", "PORTAL"))]
PrefectPort = Annotated[int | None, typer.Option(help=PORT_HELP.format("Prefect", "PREFECT"))]
MailboxPort = Annotated[int | None, typer.Option(help=PORT_HELP.format("the mailbox page", "MAILBOX"))]
SmtpPort = Annotated[int | None, typer.Option(help=PORT_HELP.format("the mail server", "SMTP"))]
Worker = Annotated[
    str | None, typer.Option(help="Kind of Prefect worker: warm or process (NAKOMING_WORKER).")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(demo)
    app.command()(portal)


def up(
    portal_port: PortalPort = None,
    prefect_port: PrefectPort = None,
    mailbox_port: MailboxPort = None,
    smtp_port: SmtpPort = None,
    worker: Worker = None,
) -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from deployments.embedded.run import run  # what it imports is for this command alone

    options = _options(
        portal_port=portal_port,
        prefect_port=prefect_port,
        mailbox_port=mailbox_port,
        smtp_port=smtp_port,
        worker=worker,
    )
    say("Starting; the first time takes about 20 seconds.")
    run(Settings(), options, on_ready=_show, say=say)
    say("Everything has stopped.")


def demo(
    *,
    wait: Annotated[bool, typer.Option(help="Stay up at the end, until Ctrl-C.")] = True,
    portal_port: PortalPort = None,
    prefect_port: PrefectPort = None,
    mailbox_port: MailboxPort = None,
    smtp_port: SmtpPort = None,
    worker: Worker = None,
) -> None:
    """Play a real request for change with the demo vendor, from the question to production."""
    from deployments.embedded.background import started, stay

    options = _options(
        portal_port=portal_port,
        prefect_port=prefect_port,
        mailbox_port=mailbox_port,
        smtp_port=smtp_port,
        worker=worker,
    )
    say("Starting; the first time takes about 20 seconds.")
    with _prepared(Home.of(Settings()).demo) as prepared, started(Settings(), options) as system:
        system.enter()
        from rich.console import Console

        from demo.play.play import play

        prepared()
        status = play(system, wait=wait, console=Console())
        if wait:
            stay(system)
    if status:
        raise typer.Exit(status)


@contextmanager
def _prepared(demo: Path) -> Iterator[Callable[[], object]]:
    """Prepare the customers' environments while the system starts; they are stopped at the end.

    Gives what waits for them and raises what went wrong.
    """
    from demo.environments import prepare, stop_all

    def make() -> None:
        demo.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        prepare(demo)

    with ThreadPoolExecutor(1) as pool:
        preparing = pool.submit(make)
        try:
            yield preparing.result
        finally:
            preparing.exception()  # waits; what went wrong before the system runs, the system says better
            stop_all(demo)  # the customers' Suites are no processes of the supervisor


def portal(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Annotated[int | None, typer.Option(help=PORT_HELP.format("the portal", "PORTAL"))] = None,
) -> None:
    """Serve the portal alone, beside a Prefect server that PREFECT_API_URL names."""
    from deployments.portal import main  # heavy: FastAPI and Prefect

    status = main(host, port)
    if status:
        raise typer.Exit(status)


def _options(**chosen: Any) -> Options:
    return Options.of(**chosen)


def _show(system: System) -> None:
    print_table(system.addresses.items())
    say(f"Everything runs. Its files are in {system.home.path}; Ctrl-C stops it.")
