"""Sets a stage for a play in a folder of its own, plays on it, and counts what came of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.mailbox.server import MailboxSettings, running
from nakoming.records import evidence_check, migrate
from nakoming.records.store import Records
from tests.faults import report
from tests.faults.children import Order
from tests.faults.outside import added, compare, left_behind, picture, suites
from tests.faults.revisions import connect
from tests.faults.street_play import CUSTOMER, EVERY_BRANCH, PARAMETERS, Script, StreetPlay
from tests.harness.installation import load_agreements
from tests.harness.vendor import running_environments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nakoming.records.cases import Case
    from tests.faults.cutting import Mode
    from tests.faults.outside import Damage, Picture

PROCESSES = ("flow", "postman", "reconciler")


@dataclass(frozen=True)
class Played:
    """What a play left: in the world, in the journal of its processes, in the records."""

    picture: Picture
    lines: list[dict[str, Any]]
    case: Case
    findings: list[str]
    left_behind: list[str]
    suites: int

    def damage(self, unharmed: Played) -> Damage:
        """What was lost and doubled, compared with a play in which nothing was killed."""
        return compare(unharmed.picture, self.picture, windows=report.windows(self.lines))


def entries(name: str, plays: list[Played], unharmed: Played, mode: Mode) -> list[report.Entry]:
    """What is to be reported of each process, over all these plays."""
    return [
        report.entry(
            name,
            process,
            planned=report.planned(unharmed.lines, process, mode),
            lines=[line for play in plays for line in play.lines],
            damage=added([play.damage(unharmed) for play in plays]),
        )
        for process in PROCESSES
    ]


def cut(plays: list[Played]) -> frozenset[tuple[str, str, str, str]]:
    """The sides of boundaries that these plays have cut, with the process first."""
    return frozenset(
        (line["process"], line["kind"], line["name"], line["phase"])
        for play in plays
        for line in play.lines
        if line["event"] == "cut"
    )


def played(api_url: str, *, script: Script = EVERY_BRANCH, until: str | None = None, **order: Any) -> Played:
    """Play from the beginning to the end, in a world of its own that is gone afterwards.

    Args:
        api_url: of Prefect, to which this process speaks too.
        script: who answers what.
        until: the gate at which the play ends; none: at the end of the case.
        order: what the child processes are told beside that, see `Order`.
    """
    with _folder() as folder, running_environments(folder / "demo", CUSTOMER) as root:
        connect(root, CUSTOMER)
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
            play = StreetPlay(records, root, given, script, until)
            play.run()
            try:
                return Played(
                    picture(root, CUSTOMER, mailbox.store),
                    play.journal.lines(),
                    play.case,
                    [finding.text for finding in evidence_check.verify(records) if finding.is_damage],
                    left_behind(folder),
                    suites(folder),
                )
            finally:
                records.engine.dispose()


def _records(home: Path) -> Records:
    home.mkdir()
    records = Records(
        f"sqlite:///{home / 'records.sqlite'}", keys=home / "keys", documents=home / "documents"
    )
    migrate.upgrade(records)
    load_agreements(records)
    return records


@contextmanager
def _folder() -> Iterator[Path]:
    """In memory where that can be: a commit waits for its disk, and kill -9 takes nothing from either."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    where = memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**29 else None
    with tempfile.TemporaryDirectory(
        prefix="nakoming-faults-", dir=where, ignore_cleanup_errors=True
    ) as name:
        yield Path(name)
