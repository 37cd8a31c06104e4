"""What a running embedded system tells others: its addresses, its processes, its settings."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from deployments.embedded.errors import AlreadyRunningError, NotRunningError
from deployments.embedded.home import Home, environment
from deployments.embedded.options import HOST, Options
from nakoming.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class State:
    """The contents of `embedded.json`.

    Attributes:
        pid: of the supervisor.
        ready: whether all has started and answers.
        options: ports by name, and the kind of worker.
        services: of each process its `pid` (None: it does not live now), `state` and number of `restarts`.
    """

    pid: int
    options: dict[str, Any]
    ready: bool = False
    services: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(self, home: Home) -> None:
        """Replace the file, whole or not at all."""
        draft = home.state_file.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        draft.replace(home.state_file)


@dataclass(frozen=True)
class System:
    """An embedded system that runs.

    Attributes:
        home: its places.
        options: its ports and kind of worker.
        pid: of its supervisor.
        settings: what its processes work with; `Records.from_settings` opens its records.
    """

    home: Home
    options: Options
    pid: int
    settings: Settings

    @property
    def prefect_url(self) -> str:
        """Prefect's UI."""
        return f"http://{HOST}:{self.options.prefect_port}"

    @property
    def prefect_api_url(self) -> str:
        """Prefect's API."""
        return f"{self.prefect_url}/api"

    @property
    def portal_url(self) -> str:
        """The portal as written in mails."""
        return self.settings.portal_url

    @property
    def mailbox_url(self) -> str:
        """The page that shows everybody's mail."""
        return f"http://{HOST}:{self.options.mailbox_port}"

    @property
    def addresses(self) -> dict[str, str]:
        """What a person opens or configures, by name."""
        return {
            "Prefect UI": self.prefect_url,
            "Portal": self.portal_url,
            "Mailboxes": self.mailbox_url,
            "Mail server": f"{HOST}:{self.options.smtp_port}",
        }

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment in which a program speaks to this system."""
        return environment(self.home, Settings(), self.options)

    def enter(self) -> None:
        """Let this process speak to the system; called before Prefect is imported."""
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            del os.environ[name]
        os.environ.update(self.environment)


def describe(home: Home, settings: Settings, options: Options, pid: int) -> System:
    """The system that these make; its settings are absolute."""
    variables = environment(home, settings, options, inherited={})
    prefix = "NAKOMING_"
    absolute = {
        name.removeprefix(prefix).lower(): value
        for name, value in variables.items()
        if name.startswith(prefix)
    }
    return System(home, options, pid, Settings(**absolute))  # type: ignore[arg-type]  # read as from variables


def running(settings: Settings) -> System | None:
    """The system that runs in this home; None when none does, or one is only starting."""
    home = Home.of(settings)
    state = read(home)
    if state is None or not state.ready or not _is_held(home.lock_file):
        return None
    return describe(home, settings, Options(**state.options), state.pid)


def require_running(settings: Settings) -> System:
    """The same; `NotRunningError` when there is none."""
    found = running(settings)
    if found is None:
        raise NotRunningError(home=Home.of(settings).path)
    return found


def read(home: Home) -> State | None:
    """The state as last written; it may be of a system that is gone."""
    try:
        return State(**json.loads(home.state_file.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


@contextmanager
def alone(home: Home, settings: Settings) -> Iterator[None]:
    """Be the one supervisor of this home; the kernel lets go when this process dies, however it dies.

    Raises:
        AlreadyRunningError: another one is; the addresses are in the sentence.
    """
    with home.lock_file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _already(home, settings) from None
        yield


def _already(home: Home, settings: Settings) -> AlreadyRunningError:
    state = read(home)
    pid: int | str = state.pid if state else "unknown"
    addresses = "it is only starting"
    if state is not None:
        system = describe(home, settings, Options(**state.options), state.pid)
        addresses = ", ".join(f"{name} {address}" for name, address in system.addresses.items())
    return AlreadyRunningError(home=home.path, pid=pid, addresses=addresses)


def _is_held(path: Path) -> bool:
    try:
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def stop(system: System) -> None:
    """Ask the supervisor to end the system in good order; returns at once."""
    try:
        os.kill(system.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
