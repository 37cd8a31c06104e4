"""A real Prefect server of the tests' own, on SQLite, with its services, on loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from tests.harness.processes import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


SERVER = (sys.executable, "-m", "deployments.embedded.prefect_server")
"""`prefect server start` as the product starts it."""


@dataclass(frozen=True)
class PrefectServer:
    """A running server: `api_url` for clients, `home` its folder, `log` what it said."""

    api_url: str
    home: Path
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which a command (`prefect`, a worker, `nakoming`) speaks to this server."""
        return _environment(self.home) | {"PREFECT_API_URL": self.api_url}

    @contextlib.contextmanager
    def settings(self, **more: Any) -> Iterator[None]:
        """Let Prefect in this process speak to this server; `more` are further settings by name."""
        # Heavy (0.5 s), and only the tests that ask for the server need it.
        import prefect.settings

        updates = {getattr(prefect.settings, name): value for name, value in more.items()}
        with prefect.settings.temporary_settings({prefect.settings.PREFECT_API_URL: self.api_url, **updates}):
            yield


@contextlib.contextmanager
def prefect_server_in(folder: Path, port: int | None = None) -> Iterator[PrefectServer]:
    """Run a server while the block lasts; about 8 s to start. It may be started again in the same folder.

    It is killed at the end: asked to stop, it waits for those who listen to its events, up to a minute.
    """
    (folder / "tmp").mkdir(exist_ok=True)
    port = port or free_port()
    server = PrefectServer(f"http://127.0.0.1:{port}/api", folder, folder / "server.log")
    with running(
        [*SERVER, "--host", "127.0.0.1", "--port", str(port)],
        log=server.log,
        answers=lambda: _healthy(server.api_url),
        env=_environment(folder) | {"PREFECT_API_URL": server.api_url},
        stop=signal.SIGKILL,
    ):
        yield server


def _environment(home: Path) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    return inherited | {
        "PREFECT_HOME": str(home),
        # Prefect keeps runner_storage in it, which a second user of the machine could not enter.
        "TMPDIR": str(home / "tmp"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home}/prefect.db",
        "PREFECT_CLI_PROMPT": "false",
        "DO_NOT_TRACK": "1",
    }


def _healthy(api_url: str) -> bool:
    try:
        return httpx.get(f"{api_url}/health", timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
