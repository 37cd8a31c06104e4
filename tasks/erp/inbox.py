"""The inbox of an ERP, worked through: each file taken or refused, answered, and moved away (S-4.2.1).

Every part may be cut off and is done again by the next run: a fetched file is no trace, a loaded one is known
by its digest, an answer is written whole under a name of its own, and what was moved stays moved.
"""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from blocks.erp.errors import ErpError, InboxFileChanged, InboxFileMissing, InboxFileTooLarge, InboxLost
from blocks.erp.inbox import ErpInbox
from blocks.ssh_errors import (
    HostKeyChanged,
    SshConnectionLost,
    SshKeyInvalid,
    SshLoginRefused,
    SshUnreachable,
)
from nakoming.records import agreements
from tasks import operators, shared_things
from tasks.blocks import load_block
from tasks.erp import exchange_messages, file_ages, file_answers, file_rest, files, health
from tasks.erp.agreed import contracts_of
from tasks.erp.connections import suite_engine
from tasks.erp.errors import OtherRunLoads
from tasks.erp.fetching import Asked
from tasks.erp.file_errors import FileUnnamed
from tasks.erp.interfaces import INBOUND
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Engine

    from blocks.erp.inbox_session import InboxFile, InboxSession
    from nakoming.agreement.people import Language
    from nakoming.errors import NakomingError
    from tasks.erp.interfaces import Contracts

_HOUR = timedelta(hours=1)
_MOST = 100
"""Files in one run; the next run takes the others."""
_LONGEST_STEM = 80
_AWAY = (SshUnreachable, SshLoginRefused, SshConnectionLost, InboxLost)
"""Troubles that pass, or that a later try finds gone; they are counted."""
_WRONG = (HostKeyChanged, SshKeyInvalid, ErpError)
"""Anything else needs a person, who is told of it at once: another machine answers, a folder is missing."""


class TakenOrNot(BaseModel):
    """What became of one file; `refused` says why nothing of it was taken.

    `outdated` counts rows that were left alone, for the Suite has newer ones; the file's answer names them.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str
    became: Literal["taken", "taken before", "refused"]
    interface: str | None = None
    refused: str | None = None
    outdated: int = 0


class InboxTaken(BaseModel):
    """What became of an inbox.

    Attributes:
        files: those that were taken or refused.
        down: why it was not reached, broke in the middle, or is left alone for a while.
        wrong: what a person must look at before it is used, such as another host key.
    """

    model_config = ConfigDict(frozen=True)

    files: list[TakenOrNot] = []
    down: str | None = None
    wrong: str | None = None

    @property
    def is_refused(self) -> bool:
        """Whether a file was refused, or the inbox as it is."""
        return self.wrong is not None or any(each.became == "refused" for each in self.files)


@step(
    doubt=repeat("a content that was taken is known by its digest, and is only answered again"), timeout=_HOUR
)
def take_files(work: Work, *, inbox: str, suite: str) -> InboxTaken:
    """Take what has arrived at an inbox."""
    with work.records.read() as tx:
        until, now = health.left_alone_until(tx, work.customer, inbox), tx.now
    if until is not None:
        return InboxTaken(down=f"The inbox is left alone until {until:%Y-%m-%d %H:%M} UTC.")
    done: list[TakenOrNot] = []
    try:
        with _inbox(work, inbox) as (block, session):
            engine = suite_engine(suite)
            taker = _Taker(work, block, session, engine, _language(work), contracts_of(work))
            resting = file_rest.arrived(session, engine, inbox, block.settle, now)
            for file in _in_order(resting)[:_MOST]:
                became = taker.take(file)
                if became is not None:
                    done.append(became)
    except _AWAY as failed:
        return InboxTaken(files=done, down=str(failed))
    except _WRONG as wrong:
        exchange_messages.tell_refused(work, inbox, str(wrong))
        return InboxTaken(files=done, wrong=str(wrong))
    return InboxTaken(files=done)


@contextmanager
def _inbox(work: Work, name: str) -> Iterator[tuple[ErpInbox, InboxSession]]:
    """The connection, for one step. Nothing is installed on production meanwhile.

    An outage is counted; what is wrong with an inbox that answers is none, and leaves the count as it is.
    """
    production = shared_things.environment(work.customer, shared_things.PRODUCTION)
    block = load_block(ErpInbox, name)
    try:
        with shared_things.leased(work, production, lease=_HOUR), block.connect() as session:
            yield block, session
    except _AWAY as failed:
        with work.records.write() as tx:
            health.failed(tx, work.customer, name, str(failed))
        raise
    with work.records.write() as tx:
        health.succeeded(tx, work.customer, name)


def _language(work: Work) -> Language:
    with work.records.read() as tx:
        return agreements.get(tx, work.customer).language


def _in_order(arrived: list[InboxFile]) -> list[InboxFile]:
    """Orders before what refers to them, older files before newer ones."""

    def place(file: InboxFile) -> tuple[int, int, str]:
        try:
            return INBOUND.index(files.interface_of(file.name)), file.modified, file.name
        except FileUnnamed:
            return len(INBOUND), file.modified, file.name

    return sorted(arrived, key=place)


@dataclass(frozen=True)
class _Taker:
    """Takes one file after the other."""

    work: Work
    block: ErpInbox
    session: InboxSession
    engine: Engine
    language: Language
    own: Contracts

    def take(self, file: InboxFile) -> TakenOrNot | None:
        """What became of a file; None: not now, it has changed or somebody else loads."""
        with tempfile.TemporaryDirectory(prefix="nakoming-inbox-") as folder:  # private: mode 0700
            path = Path(folder) / _local_name(file.name)
            try:
                digest = self.session.fetch(file, path)
                return self._fetched(file, files.Received(name=file.name, path=path, digest=digest))
            except (InboxFileChanged, InboxFileMissing, OtherRunLoads):
                return None
            except InboxFileTooLarge as large:
                return self._left(file, large)

    def _fetched(self, file: InboxFile, received: files.Received) -> TakenOrNot:
        asked = Asked(customer=self.work.customer, run=self.work.lease.key, own=self.own)
        try:
            taken = files.take(self.engine, self.block, received, asked, self._now())
        except files.REFUSALS as refused:
            self._tell(received.digest, file.name, refused)
            self._answer(file, file_answers.of_refused(file.name, refused, self.language), received.digest)
            return self._refused(file, received.digest, refused)
        text = file_answers.of_taken(self.engine, file.name, taken, self.language)
        self._answer(file, text, received.digest)
        files.note_answered(self.engine, received.digest, self._now())
        return TakenOrNot(
            name=file.name,
            digest=received.digest,
            became="taken before" if taken.is_repeated else "taken",
            interface=taken.interface,
            outdated=file_ages.left_alone(self.engine, taken.batch),
        )

    def _answer(self, file: InboxFile, text: str, digest: str) -> None:
        self.session.acknowledge(file, text, digest=digest)
        self.session.move(file, digest=digest)

    def _left(self, file: InboxFile, large: InboxFileTooLarge) -> TakenOrNot:
        """A file that is not even read has no digest, and cannot be moved as what it is: it stays."""
        named = hashlib.sha256(f"{file.name}|{file.size}|{file.modified}".encode()).hexdigest()
        self._tell(named, file.name, large)
        answer = file_answers.of_refused(file.name, large, self.language)
        self.session.acknowledge(file, answer, digest=named)
        return self._refused(file, named, large)

    def _refused(self, file: InboxFile, digest: str, refused: NakomingError) -> TakenOrNot:
        return TakenOrNot(name=file.name, digest=digest, became="refused", refused=str(refused))

    def _tell(self, digest: str, name: str, refused: NakomingError) -> None:
        """The operators, once for each content."""
        with self.work.records.write() as tx:
            values = {"interface": name, "error": str(refused)}
            operators.tell_exchange(tx, self.work.customer, f"file/{digest}", "exchange_refused", values)

    def _now(self) -> datetime:
        with self.work.records.read() as tx:
            return tx.now


def _local_name(name: str) -> str:
    """The name here: as there, so that messages show it, and short enough for `.part` behind it."""
    path = Path(name)
    return path.stem[:_LONGEST_STEM] + path.suffix
