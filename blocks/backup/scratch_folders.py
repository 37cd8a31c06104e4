"""What scratches in a folder of this machine share: a folder of their own per name, and its removal."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from blocks.backup.errors import RestoreFailed
from blocks.backup.scratch_name import refuse_live

if TYPE_CHECKING:
    from collections.abc import Iterator


class ScratchFolders(BaseModel):
    """A folder that holds one folder per scratch."""

    folder: Path = Field(description="An existing folder of this machine for restores that are dropped.")

    def server(self) -> str:
        """This machine."""
        return socket.gethostname().casefold()

    def drop(self, name: str) -> bool:
        """Remove it; whether it was there."""
        place = self.place(name)
        there = place.is_dir() and not place.is_symlink()
        if there:
            shutil.rmtree(place)
        return there

    def place(self, name: str) -> Path:
        """The folder of a scratch.

        Raises:
            LiveNameRefused: the name is not one of a scratch.
        """
        refuse_live(name)
        return self.folder / name

    @contextmanager
    def made(self, name: str, live: frozenset[str]) -> Iterator[Path]:
        """A new folder of that name; when the block fails, nothing of it stays.

        Raises:
            LiveNameRefused: the name is one of `live`, or not one of a scratch.
            RestoreFailed: the folder cannot be written.
        """
        refuse_live(name, live)
        place = self.place(name)
        try:
            self.drop(name)
            place.mkdir(mode=0o700)
            yield place
        except OSError as error:
            self._remove(place)
            reason = error.strerror or type(error).__name__
            raise RestoreFailed(what="the dump", name=name, reason=reason) from error
        except BaseException:
            self._remove(place)
            raise

    def tried(self) -> tuple[str, ...]:
        """Say that the folder can be written.

        Raises:
            RestoreFailed: it cannot.
        """
        if not os.access(self.folder, os.W_OK | os.X_OK) or not self.folder.is_dir():
            raise RestoreFailed(what="a dump", name=str(self.folder), reason="no folder that can be written")
        return (f"{self.folder} takes restores.",)

    @staticmethod
    def _remove(place: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)
