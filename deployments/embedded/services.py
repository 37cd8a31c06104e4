"""The processes of the embedded system, and what each waits for before it starts."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deployments.embedded import probes
from deployments.warm.after_exit import AFTER_EXIT_VARIABLE
from deployments.warm.companion import COMPANION_VARIABLE
from deployments.warm.preload import REHEARSAL_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployments.embedded.probes import Probe
    from deployments.embedded.system import System

WORKER_NAME = "embedded"


@dataclass(frozen=True)
class Service:
    """One process that is kept running, or one step that is taken once.

    Attributes:
        name: of its log and in the state file.
        title: what a person calls it.
        command: the program, in the foreground.
        after: the names of those that must be ready first.
        make_probe: gives a question to ask until it answers; None: ready when it lives.
        once: a step: ready when it ended well, and never started again.
        optional: a step whose failure is said, and keeps nothing from starting.
        lasts: ends after the others when the system stops.
        environment: variables of its own.
    """

    name: str
    title: str
    command: tuple[str, ...]
    after: tuple[str, ...] = ()
    make_probe: Callable[[], Probe] | None = None
    once: bool = False
    optional: bool = False
    lasts: bool = False
    environment: dict[str, str] = field(default_factory=dict)


def services(system: System) -> list[Service]:
    """All of them, in the order in which they are shown."""
    return [_prefect(system), _mailbox(system), *_steps(system), _portal(system), *_runners(system)]


def has_suites(system: System) -> bool:
    """Whether the demo has installed a customer's Suite in this home."""
    return any((system.home.demo / "environments").glob("*/*/current"))


def _python(module: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *words)


def _prefect(system: System) -> Service:
    port = system.options.prefect_port
    command = _python("deployments.embedded.prefect_server", "--host", "127.0.0.1", "--port", str(port))
    healthy = lambda: probes.answers(port, "/api/health", only_ok=True)  # noqa: E731 - a maker of a question
    return Service("prefect", "Prefect server", command, make_probe=healthy, lasts=True)


def _mailbox(system: System) -> Service:
    smtp, page = system.options.smtp_port, system.options.mailbox_port
    ports = ("--smtp-port", str(smtp), "--http-port", str(page))
    command = _python("demo.mailbox", "--root", str(system.home.mail), *ports)
    return Service(
        "mailbox", "mail server", command, make_probe=lambda: probes.answers(page, "/"), lasts=True
    )


def _steps(system: System) -> list[Service]:
    steps = [
        Service("records", "records", _python("deployments.embedded.records"), once=True),
        Service("provision", "set-up of Prefect", _python("deployments.embedded.provision"), once=True),
    ]
    if has_suites(system):
        # What the demo installed before runs again; what fails there keeps nothing else from starting.
        command = _python("demo.environments", "start", "--root", str(system.home.demo))
        title = "start of the demo's environments"
        steps.append(Service("environments", title, command, after=("provision",), once=True, optional=True))
    return steps


def _portal(system: System) -> Service:
    port = system.options.portal_port
    return Service(
        "portal",
        "portal",
        _python("deployments.portal"),
        after=("records",),
        make_probe=lambda: probes.answers(port, "/"),
    )


def _runners(system: System) -> list[Service]:
    """What works: it needs the records, and Prefect with its blocks and pools."""
    ready = ("records", "provision", "prefect", "mailbox")
    return [
        _worker(system, ready),
        Service("postman", "postman", _python("tasks.postman"), after=ready),
        Service("reconciler", "reconciler", _python("deployments.reconciler"), after=ready),
    ]


def _worker(system: System, ready: tuple[str, ...]) -> Service:
    kind, port = system.options.worker, system.options.prefect_port
    words = ("worker", "start", "--pool", kind, "--type", kind, "--name", WORKER_NAME)
    return Service(
        "worker",
        f"{kind} worker",
        _python("prefect", *words),
        after=ready,
        make_probe=lambda: probes.new_heartbeat(port, kind, WORKER_NAME),
        # The process worker is woken by polling alone: 2 s keeps the wait short at little cost.
        environment={
            "PREFECT_WORKER_QUERY_SECONDS": "2" if kind == "process" else "5",
            AFTER_EXIT_VARIABLE: "deployments.after_exit.look_again",
            COMPANION_VARIABLE: "deployments.reconciler.beside.start",
            REHEARSAL_VARIABLE: "tasks.rehearsal.rehearse",
        },
    )
