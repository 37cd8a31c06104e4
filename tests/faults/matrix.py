"""Sets a stage for a play in a folder of its own, and takes it down."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.mailbox.server import MailboxSettings, RunningMailbox, running
from nakoming.records import migrate
from nakoming.records.store import Records
from tests.faults.children import Order
from tests.faults.outside import Picture, picture
from tests.faults.street_play import CUSTOMER, EVERY_BRANCH, PARAMETERS, Script, StreetPlay
from tests.harness.installation import load_agreements
from tests.harness.vendor import running_environments, save_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Stage:
    """A play and the world it happens in."""

    play: StreetPlay
    mailbox: RunningMailbox

    def run(self) -> None:
        """Play to the end."""
        self.play.run()

    def picture(self) -> Picture:
        """What the play left in the world."""
        return picture(self.play.root, CUSTOMER, self.mailbox.store)


@contextmanager
def staged(api_url: str, *, script: Script = EVERY_BRANCH, until: str | None = None, **order: Any) -> Iterator[Stage]:
    """A stage: records with the demo's agreements, the vendor's environments, a mail server, the blocks.

    Args:
        api_url: of Prefect, to which this process speaks too.
        script: who answers what.
        until: the gate at which the play ends; none: at the end of the case.
        order: what the child processes are told beside that, see `Order`.
    """
    with _folder() as folder, running_environments(folder / "demo", CUSTOMER) as root:
        save_blocks(root, CUSTOMER)
        records = _records(folder / "home")
        with running(MailboxSettings(folder / "mail", bounce_after=0.05)) as mailbox:
            given = Order(
                home=folder / "home",
                records_url=records.url,
                api_url=api_url,
                customer=CUSTOMER,
                parameters=PARAMETERS,
                smtp_port=mailbox.port,
                notices=mailbox.store.bounces,
                journal=folder / "journal.jsonl",
                said=folder / "said.log",
                **order,
            )
            yield Stage(StreetPlay(records, root, given, script, until), mailbox)
        records.engine.dispose()


def _records(home: Path) -> Records:
    home.mkdir()
    records = Records(f"sqlite:///{home / 'records.sqlite'}", keys=home / "keys", documents=home / "documents")
    migrate.upgrade(records)
    load_agreements(records)
    return records


@contextmanager
def _folder() -> Iterator[Path]:
    """In memory where that can be: a commit waits for its disk, and kill -9 takes nothing back from either."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    where = memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**29 else None
    with tempfile.TemporaryDirectory(prefix="nakoming-faults-", dir=where, ignore_cleanup_errors=True) as name:
        yield Path(name)
