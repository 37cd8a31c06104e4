"""One environment of one customer: a folder with releases, a database, and who may change it now.

`ROOT/environments/<customer>/<environment>/` holds `releases/<sha256>/`, the links `current` and
`previous`, `database/`, `copies/` (databases as they were before an installation), `history/` (what each
release was installed over), `settings.json` (optional), `service.json` (port, address, process),
`service.log`, and `unfinished.json` while something is being changed.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from demo.artefacts import flush_folder, read_artefact, unpack, write_whole
from demo.errors import BusyError, SettingsError, UnusableNameError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.artefacts import Artefact

Link = Literal["current", "previous"]

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
KNOWN_SETTINGS = {"database_url", "language", "title"}
LOOK_AGAIN_SECONDS = 0.05


@dataclass(frozen=True)
class Unfinished:
    """A change under way: going back from it means the copy made before `undo`, and the release `base`."""

    action: Literal["install", "rollback"]
    undo: str
    base: str | None


@dataclass(frozen=True)
class EnvironmentFolder:
    """One customer's acceptance or production environment under `root`."""

    root: Path
    customer: str
    name: str

    def __post_init__(self) -> None:
        for what, name in (("customer", self.customer), ("environment", self.name)):
            if not NAME.fullmatch(name):
                raise UnusableNameError(name=name, what=what)

    @property
    def folder(self) -> Path:
        """Where all of it lies."""
        return self.root.resolve() / "environments" / self.customer / self.name

    def release(self, sha256: str) -> Path:
        """The folder of an unpacked release."""
        return self.folder / "releases" / sha256

    def linked(self, link: Link) -> str | None:
        """The SHA-256 a link points to, None where there is no link."""
        try:
            return (self.folder / link).readlink().name
        except FileNotFoundError:
            return None

    def point(self, link: Link, sha256: str | None) -> None:
        """Let a link point to another release, or take it away, in one instant."""
        path = self.folder / link
        if sha256 is None:
            path.unlink(missing_ok=True)
        else:
            temporary = path.with_name(f".{link}")
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(f"releases/{sha256}", target_is_directory=True)
            temporary.replace(path)
        flush_folder(self.folder)

    def keep_release(self, artefact: Path) -> Artefact:
        """Unpack an artefact under its digest, whole or not at all; a release that is there stays."""
        releases = self.folder / "releases"
        releases.mkdir(parents=True, exist_ok=True)
        for half in releases.glob(".half-*"):
            shutil.rmtree(half)
        if self.release((known := read_artefact(artefact)).sha256).is_dir():
            return known
        half = releases / f".half-{os.getpid()}"
        half.mkdir()
        kept = unpack(artefact, half)
        half.replace(self.release(kept.sha256))
        flush_folder(releases)
        return kept

    def settings(self) -> dict[str, str]:
        """`settings.json` over the defaults: database_url, language, title.

        Raises:
            SettingsError: The file is not an object of known text settings.
        """
        default = {"database_url": f"sqlite:///{self.folder / 'database' / 'suite.db'}"}
        path = self.folder / "settings.json"
        if not path.exists():
            return default
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as damaged:
            raise SettingsError(path=path, reason=f"it is not JSON ({damaged})") from None
        if not isinstance(given, dict) or set(given) - KNOWN_SETTINGS:
            reason = f"it may hold {', '.join(sorted(KNOWN_SETTINGS))} and nothing else"
            raise SettingsError(path=path, reason=reason)
        return default | {name: str(value) for name, value in given.items()}

    def unfinished(self) -> Unfinished | None:
        """What a deployment began and did not end."""
        noted = self.read_json("unfinished.json")
        return Unfinished(**noted) if noted else None

    def begin(self, change: Unfinished) -> None:
        """Note a change durably before its first effect."""
        self.write_json("unfinished.json", vars(change))

    def finish(self) -> None:
        """The change is whole."""
        (self.folder / "unfinished.json").unlink(missing_ok=True)
        flush_folder(self.folder)

    def read_json(self, name: str) -> dict[str, Any]:
        """A small file of ours; empty where there is none."""
        try:
            content: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return content

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Replace a small file of ours, whole or not at all."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / name, json.dumps(content).encode())

    @contextmanager
    def lock(self, patience_seconds: float) -> Iterator[int]:
        """Hold the environment against other deployments.

        The descriptor is given to children that change it, so that it stays held until the last of them
        ended, also when their parent was killed.

        Raises:
            BusyError: Another deployment held it for the whole of `patience_seconds`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "deploy.lock", os.O_RDWR | os.O_CREAT, 0o600)
        give_up = time.monotonic() + patience_seconds
        try:
            while not _try_lock(descriptor):
                if time.monotonic() > give_up:
                    raise BusyError(customer=self.customer, environment=self.name, seconds=patience_seconds)
                time.sleep(LOOK_AGAIN_SECONDS)
            yield descriptor
        finally:
            os.close(descriptor)

    def is_being_changed(self) -> bool:
        """Whether a deployment holds the environment at this instant."""
        with suppress(FileNotFoundError):
            descriptor = os.open(self.folder / "deploy.lock", os.O_RDWR)
            try:
                return not _try_lock(descriptor)
            finally:
                os.close(descriptor)
        return False


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
