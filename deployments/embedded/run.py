"""Running the embedded system in this process, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deployments.embedded import checks, supervisor, system, watchman
from deployments.embedded.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deployments.embedded.options import Options
    from deployments.embedded.system import System
    from nakoming.settings import Settings


def run(
    settings: Settings,
    options: Options,
    *,
    on_ready: Callable[[System], None],
    say: Callable[[str], None],
    lifeline: bool = False,
) -> None:
    """Start all, call `on_ready`, keep it running, end all.

    Args:
        settings: of the installation.
        options: ports and kind of worker.
        on_ready: called once, when everything answers.
        say: told in one sentence each what a person should know meanwhile.
        lifeline: also end at the end of standard input.

    Raises:
        NakomingError: what stands in the way, see `deployments.embedded.errors`.
    """
    home = Home.of(settings)
    with _clear(home, settings, options):
        supervisor.log_to(home.logs)
        described = system.describe(home, settings, options, os.getpid())
        asyncio.run(_run(described, settings, on_ready, say, lifeline=lifeline))


def check_first(settings: Settings, options: Options) -> None:
    """Raise what would keep `run` from starting; nothing is started."""
    with _clear(Home.of(settings), settings, options):
        pass


@contextmanager
def _clear(home: Home, settings: Settings, options: Options) -> Iterator[None]:
    """Be alone in this home, with all that a start needs; what a killed system left is ended."""
    checks.check_packages()
    checks.check_agreements(settings)
    checks.check_folders(home)
    with system.alone(home, settings):
        watchman.end_left_over(home.path)
        checks.check_ports(options)
        yield


async def _run(
    described: System,
    settings: Settings,
    on_ready: Callable[[System], None],
    say: Callable[[str], None],
    *,
    lifeline: bool,
) -> None:
    kept = supervisor.Supervisor(described, settings, say)
    loop = asyncio.get_running_loop()
    if lifeline:

        def ended() -> None:
            if not os.read(0, 1024):
                loop.remove_reader(0)
                kept.stop()

        loop.add_reader(0, ended)
    await kept.run(lambda: on_ready(described))
