"""The folder that holds all of an embedded system, and the environment its processes run in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.embedded.options import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deployments.embedded.options import Options
    from nakoming.settings import Settings

HOUSE = Path(__file__).resolve().parents[2]
"""Where the code lies: the folder of `flows`, `blocks`, `demo` and `prefect.yaml`."""

MARK = "NAKOMING_SUPERVISED_BY"
"""Environment variable that every process of a system carries: its home and the run of its supervisor."""

VACUUM_SECONDS = 30 * 24 * 3600

# Prefect's own variables of the shell would lead us into somebody else's server, or into a cloud.
_FOREIGN = ("PREFECT_",)
_LOCAL_NAMES = "127.0.0.1,localhost,::1"


@dataclass(frozen=True)
class Home:
    """The places below one `NAKOMING_HOME`, absolute."""

    path: Path

    @classmethod
    def of(cls, settings: Settings) -> Home:
        """The home that the settings name."""
        return cls(settings.home.expanduser().resolve())

    @property
    def prefect(self) -> Path:
        """Prefect's own folder and database."""
        return self.path / "prefect"

    @property
    def logs(self) -> Path:
        """One log a process."""
        return self.path / "logs"

    @property
    def temporary(self) -> Path:
        """The processes' TMPDIR: what Prefect keeps in the machine's own, a second user could not enter."""
        return self.path / "tmp"

    @property
    def mail(self) -> Path:
        """All mail of the local mail server."""
        return self.path / "mail"

    @property
    def demo(self) -> Path:
        """The demo's environments."""
        return self.path / "demo"

    @property
    def state_file(self) -> Path:
        """What runs and where, for whoever asks."""
        return self.path / "embedded.json"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.path / "embedded.lock"

    @property
    def folders(self) -> tuple[Path, ...]:
        """What must exist before anything starts."""
        return (self.path, self.prefect, self.logs, self.temporary, self.mail)

    def mark(self, run: str) -> str:
        """What `MARK` says in the processes of one supervisor."""
        return f"{run}:{self.path}"


def prefect_environment(home: Home, options: Options) -> dict[str, str]:
    """How every process finds this Prefect server and no other; the server itself needs the address too."""
    return {
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_API_URL": f"http://{HOST}:{options.prefect_port}/api",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home.prefect / 'prefect.db'}",
        # Code that lost its address must fail, not start a server of its own.
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # History lives in our records; Prefect keeps a month of it.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(VACUUM_SECONDS),
        # The server is open to this machine anyway; without it each run makes one request less.
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_CLI_COLORS": "false",
        "DO_NOT_TRACK": "1",
    }


def settings_environment(home: Home, settings: Settings, options: Options) -> dict[str, str]:
    """The settings of this installation as variables, every path absolute: processes have other folders."""
    given = "portal_url" in settings.model_fields_set
    records = settings.records_url
    if records == f"sqlite:///{settings.home / 'records.sqlite'}":
        records = f"sqlite:///{home.path / 'records.sqlite'}"
    return {
        "NAKOMING_HOME": str(home.path),
        "NAKOMING_RECORDS_URL": records,
        "NAKOMING_DOCUMENTS": str(settings.documents_folder.absolute()),
        "NAKOMING_KEYS": str(settings.keys_folder.absolute()),
        "NAKOMING_ARTEFACTS": str(settings.artefacts_folder.absolute()),
        "NAKOMING_AGREEMENTS": str(_agreements(settings)),
        "NAKOMING_DOCUMENT_LIMIT": str(settings.document_limit),
        "NAKOMING_PORTAL_URL": settings.portal_url if given else f"http://{HOST}:{options.portal_port}",
        "NAKOMING_PORTAL_PORT": str(options.portal_port),
    }


def environment(
    home: Home, settings: Settings, options: Options, inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The whole environment of a process of this system; the shell's Prefect settings are left out."""
    shell = os.environ if inherited is None else inherited
    kept = {name: value for name, value in shell.items() if not name.startswith(_FOREIGN)}
    return {
        **kept,
        **prefect_environment(home, options),
        **settings_environment(home, settings, options),
        "TMPDIR": str(home.temporary),
        "NO_PROXY": _with_local(kept.get("NO_PROXY", kept.get("no_proxy", ""))),
        "no_proxy": _with_local(kept.get("no_proxy", kept.get("NO_PROXY", ""))),
        "PYTHONUNBUFFERED": "1",
    }


def _agreements(settings: Settings) -> Path:
    """The folder that was named; else that of this folder, or the demo's own beside the code."""
    here = settings.agreements.absolute()
    return here if here.is_dir() or "agreements" in settings.model_fields_set else HOUSE / "agreements"


def _with_local(names: str) -> str:
    return f"{names},{_LOCAL_NAMES}" if names else _LOCAL_NAMES
