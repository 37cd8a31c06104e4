"""The block of a folder into which an ERP puts Excel and CSV files, reached over SFTP."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from prefect.blocks.core import Block
from pydantic import AfterValidator, Field

from blocks.erp.errors import ErpSettingInvalid
from blocks.ssh_address import SshAddress
from blocks.ssh_errors import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blocks.erp.inbox_session import InboxSession


def _checked_folder(given: str) -> str:
    if not given or not given.isprintable() or ".." in given.split("/"):
        raise ErpSettingInvalid(reason=f"{given!r} is no folder of an inbox")
    return given


Folder = Annotated[str, AfterValidator(_checked_folder)]


class ErpInbox(SshAddress, Block):
    """A folder on a machine, into which a customer's ERP puts Excel and CSV files.

    Each file is fetched whole or not at all, answered by a file, and moved away. All may be done again:
    a crash between any two of these is harmless.

    Example:
        Fetch what has arrived at a stored inbox:
        ```python
        from pathlib import Path

        from blocks.erp.inbox import ErpInbox

        inbox = ErpInbox.load("BLOCK_NAME")
        with inbox.connect() as session:
            for file in session.arrived():
                digest = session.fetch(file, Path("/tmp") / file.name)
                session.acknowledge(file, "Taken.", digest=digest)
                session.move(file, digest=digest)
        ```
    """

    _block_type_name = "ERP Inbox"
    _block_type_slug = "erp-inbox"

    folder: Folder = Field(default="inbox", description="Folder into which the ERP puts files.")
    answers: Folder = Field(default="answers", description="Folder that takes our answers.")
    processed: Folder = Field(default="processed", description="Folder that takes files we are done with.")
    settle: timedelta = Field(
        default=timedelta(seconds=2),
        ge=timedelta(0),
        description="How long a file must rest, its size and time unchanged, before it counts as arrived.",
    )
    answer_timeout: timedelta = Field(
        default=timedelta(seconds=60), gt=timedelta(0), description="How long each answer of it may take."
    )
    csv_encoding: Literal["utf-8", "utf-8-sig", "cp1252"] = Field(
        default="utf-8-sig",
        description="How its CSV files are written; utf-8-sig is UTF-8 with a mark or without.",
    )
    csv_delimiter: Literal[",", ";", "\t", "|"] = Field(
        default=";", description="What stands between the values of its CSV files."
    )
    most_bytes: int = Field(default=1 << 30, ge=1, description="Largest file that is fetched, in bytes.")

    @contextmanager
    def connect(self, *, pause: Callable[[float], object] = time.sleep) -> Iterator[InboxSession]:
        """Open a session; errors as of `blocks.ssh_connect.connect`.

        Args:
            pause: waits so many seconds between two listings.
        """
        # Imported here: paramiko and cryptography take a third of a second, and most flows need neither.
        from blocks.erp.inbox_session import Folders, InboxSession

        folders = Folders(self.folder, self.answers, self.processed)
        with self.session() as ssh, ssh.files(self.answer_timeout) as client:
            where = f"{self.host}:{self.port}/{self.folder}"
            yield InboxSession(
                client, where, folders, self.most_bytes, lambda: pause(self.settle.total_seconds())
            )

    def check(self) -> tuple[str, ...]:
        """Connect and look into its folders; returns what was found, one sentence each.

        Raises:
            NakomingError: the first thing that is wrong.
        """
        with self.connect() as session:
            waiting, strange = session.listing(), session.strange()
            session.make_folders()
        found = [
            f"{self.host}:{self.port} shows the pinned key {fingerprint(self.host_key)}.",
            f"{self.username} can read {self.folder} there: {len(waiting)} files wait.",
        ]
        if strange:
            found.append(f"Left alone, for they are neither Excel nor CSV: {', '.join(strange[:5])}.")
        return tuple(found)
