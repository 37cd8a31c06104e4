"""The postman's loop: one at a time in the whole installation, under a lease of the records."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from nakoming.errors import NakomingError
from nakoming.records import outbox, resource_leases
from nakoming.records.errors import LeaseLost, ResourceBusy
from nakoming.records.owners import this_process
from tasks.postman.delivering import deliver_due
from tasks.postman.noticing import read_notices
from tasks.postman.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blocks.mail_server import MailServer
    from blocks.mailbox import Mailbox
    from nakoming.records.resource_leases import ResourceLease
    from nakoming.records.store import Records

RESOURCE: Final = "postman"
LEASE: Final = timedelta(seconds=15)
_BEAT_SECONDS: Final = 5.0
_IMAP_SECONDS: Final = 15.0  # a server of others is not asked twice a second
_PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds, while no mail server answers
_log = logging.getLogger(__name__)
# The database is away, the mailbox cannot be read, the disk is full: said, and tried again.
_TROUBLES = (NakomingError, SQLAlchemyError, OSError)


def run_postman(
    records_factory: Callable[[], Records],
    server: MailServer,
    mailbox: Mailbox,
    *,
    portal_url: str,
    stop: threading.Event,
    poll: float = 0.5,
) -> None:
    """Deliver until `stop` is set; the mail under way is finished first.

    Notices are read before each sending: one may say that a mail arrived whose sender died.

    Args:
        records_factory: opens the records.
        server: takes the mails.
        mailbox: where delivery notices come.
        portal_url: public address of the portal.
        stop: ends the loop.
        poll: seconds between two looks at the outbox.
    """
    round_ = _Round(records_factory(), server, mailbox, portal_url, stop)
    while not stop.is_set():
        try:
            with _leased(round_.records, round_.owner, stop) as mine:
                if mine is None:
                    stop.wait(poll)
                    continue
                while mine() and not stop.is_set():
                    round_.once(mine)
                    stop.wait(poll)
        except _TROUBLES as trouble:
            _complain("the postman lost its records", trouble)
            stop.wait(poll)


@dataclass
class _Round:
    """What the postman goes round with."""

    records: Records
    server: MailServer
    mailbox: Mailbox
    portal_url: str
    stop: threading.Event
    owner: str = field(default_factory=this_process)
    failures: int = 0  # passes in a row that no server answered
    send_after: float = 0.0  # monotonic seconds
    read_after: float = 0.0

    def once(self, mine: Callable[[], bool]) -> None:
        """Read notices, then send; trouble with the one does not keep the other back."""
        for act, what in (
            (self._read, "notices cannot be read"),
            (self._send, "mail cannot be sent"),
        ):
            try:
                act(lambda: mine() and not self.stop.is_set())
            except _TROUBLES as trouble:
                _complain(what, trouble)

    def _read(self, go_on: Callable[[], bool]) -> None:
        if time.monotonic() < self.read_after:
            return
        self.read_after = time.monotonic() + (0.0 if self.mailbox.maildir else _IMAP_SECONDS)
        read_notices(self.records, self.mailbox, go_on=go_on)

    def _send(self, go_on: Callable[[], bool]) -> None:
        if time.monotonic() < self.send_after or not self._something_waits():
            return
        done = deliver_due(
            self.records, self.server, portal_url=self.portal_url, owner=self.owner, go_on=go_on
        )
        if done.unreachable:  # so that an outage does not use up the attempts of every mail
            self.send_after = time.monotonic() + _PAUSES[min(self.failures, len(_PAUSES) - 1)]
            self.failures += 1
        elif done.count:
            self.failures = 0

    def _something_waits(self) -> bool:
        with self.records.read() as tx:
            return outbox.waiting(tx) > 0


@contextmanager
def _leased(records: Records, owner: str, stop: threading.Event) -> Iterator[Callable[[], bool] | None]:
    """Hold the lease; gives a question whether it is still ours, or nothing when another postman has it."""
    try:
        with records.write() as tx:
            lease = resource_leases.take(tx, RESOURCE, owner, lease=LEASE)
    except ResourceBusy:
        yield None
        return
    over, lost = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=_keep, args=(records, lease, over, lost), name="postman-lease", daemon=True
    )
    thread.start()
    _log.info("the postman goes round")
    try:
        yield lambda: not lost.is_set()
    finally:
        over.set()
        thread.join()
        if not lost.is_set():
            with suppress(*_TROUBLES), records.write() as tx:
                resource_leases.release(tx, lease)
        _log.info("the postman %s", "stops" if stop.is_set() else "lets another one go round")


def _keep(records: Records, lease: ResourceLease, over: threading.Event, lost: threading.Event) -> None:
    """Extend the lease until it is over; one that could not be extended in time counts as lost."""
    until = time.monotonic() + LEASE.total_seconds()
    while not over.wait(_BEAT_SECONDS):
        try:
            began = time.monotonic()
            with records.write() as tx:
                resource_leases.extend(tx, lease, lease=LEASE)
            until = began + LEASE.total_seconds()
        except LeaseLost:
            lost.set()
            return
        except _TROUBLES as trouble:
            _complain("the postman's lease cannot be extended", trouble)
            if time.monotonic() > until:
                lost.set()
                return


def _complain(what: str, trouble: Exception) -> None:
    """Without the texts of database errors: they repeat the values of the statement."""
    why = reason_of(trouble) if isinstance(trouble, NakomingError) else type(trouble).__name__
    _log.warning("%s: %s", what, why)
