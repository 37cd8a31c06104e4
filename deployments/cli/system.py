"""The commands that start things: `up`, `demo`, `portal`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.printing import facts, say
from deployments.embedded.home import HOUSE, Home
from deployments.embedded.options import HOST, PREFIX, Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deployments.embedded.system import System

Command = Callable[..., None]
STARTING = "Starting; the first time takes about 20 seconds."


def help_of(option: str) -> str:
    """What a choice of the system is for, and the variable that makes it."""
    said = str(Options.model_fields[option].description).rstrip(".")
    return f"{said} ({PREFIX}{option.upper()})."


def choosing(command: Command) -> Command:
    """Give a command the options of the embedded system; it is called with its own and with `options`."""

    @wraps(command)
    def called(**given: Any) -> None:
        own = {name: value for name, value in given.items() if name not in Options.model_fields}
        command(options=Options.of(**{name: given[name] for name in Options.model_fields}), **own)

    before = [
        each for name, each in signature(command, eval_str=True).parameters.items() if name != "options"
    ]
    # Typer reads a command's options from its signature.
    called.__signature__ = Signature([*before, *map(_parameter, Options.model_fields)])  # type: ignore[attr-defined]  # read by inspect
    return called


def _parameter(option: str) -> Parameter:
    kind = int if Options.model_fields[option].annotation is int else str
    read_as = Annotated[kind | None, typer.Option(help=help_of(option))]  # type: ignore[valid-type]  # for typer alone
    return Parameter(option, Parameter.KEYWORD_ONLY, default=None, annotation=read_as)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(choosing(up))
    app.command()(choosing(demo))
    app.command()(portal)


def up(*, options: Options) -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from deployments.embedded.run import run  # what these import is for this command alone
    from tasks.installation import settings

    found = settings()
    say(STARTING)
    run(found, options, on_ready=_show, say=say)
    say("Everything has stopped.")


def demo(
    *,
    wait: Annotated[bool, typer.Option(help="Stay up at the end, until Ctrl-C.")] = True,
    options: Options,
) -> None:
    """Play a real request for change with the demo vendor, from the question to production."""
    from deployments.embedded import system as embedded
    from deployments.embedded.background import noting_interrupts, started, stay
    from deployments.embedded.run import check_first
    from tasks.installation import settings

    found = settings()
    if embedded.running(found) is None:
        check_first(found, options)  # before any customer's environment is installed
    say(STARTING)
    with (
        noting_interrupts() as interrupted,
        _prepared(Home.of(found).demo) as prepared,
        started(found, options) as system,
    ):
        system.enter()
        from rich.console import Console

        from demo.play.play import play

        prepared()
        status = play(system, wait=wait, console=Console())
        if wait:
            stay(system, interrupted)
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
    port: Annotated[int | None, typer.Option(help=help_of("portal_port"))] = None,
) -> None:
    """Serve the portal alone, beside a Prefect server that PREFECT_API_URL names."""
    from deployments.portal import main  # heavy: FastAPI and Prefect

    status = main(host, port)
    if status:
        raise typer.Exit(status)


def _show(system: System) -> None:
    from deployments.embedded.services import has_suites

    facts(system.addresses.items())
    if not has_suites(system) and system.settings.agreements == HOUSE / "agreements":
        say("No customer's Suite is installed here yet: `make demo` installs and starts those of the demo.")
    say(f"Everything runs. Its files are in {system.home.path}; Ctrl-C stops it.")
