"""The processes that are killed: one run of the flow, the postman's round, what is due acted on.

Each is forked from a process that has imported everything and opened nothing, so that a new one costs a tenth
of a second. They do what the product's own entry points do; the only thing replaced is Prefect's suspension,
which needs a deployment: where a run would be suspended, its process ends.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.mail_server import MailServer
from blocks.mailbox import Mailbox
from flows.rfc_street import PROCESS
from nakoming.records import outbox
from nakoming.records.store import Records
from tasks import installation, process
from tasks.postman import run_postman
from tasks.waking.due import act_on_due
from tests.faults import unledgered
from tests.faults.boundaries import Boundary, watch
from tests.faults.cutting import Cutter, Journal, Mode

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a child needs to know.

    Attributes:
        home: of the installation.
        records_url: its database.
        api_url: Prefect's.
        customer: of the case.
        parameters: of the case.
        smtp_port: of the mail server.
        notices: Maildir of the delivery notices.
        journal: of the play.
        said: file for what the child logs.
        mode: which boundaries are cut.
        only: only boundaries whose names begin so.
        spared: sides of boundaries (process, kind, name, phase) that an earlier play has cut.
        ledger: false: effects are not remembered (the damage that must be seen).
    """

    home: Path
    records_url: str
    api_url: str
    customer: str
    parameters: dict[str, Any]
    smtp_port: int
    notices: Path
    journal: Path
    said: Path
    mode: Mode = "none"
    only: tuple[str, ...] = ()
    spared: frozenset[tuple[str, str, str, str]] = frozenset()
    ledger: bool = True


def run(name: str, order: Order) -> None:
    """Be the process `name`: flow, postman or reconciler."""
    os.dup2(os.open(order.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    os.environ["NAKOMING_HOME"] = str(order.home)
    os.environ["NAKOMING_RECORDS_URL"] = order.records_url
    if not order.ledger:
        unledgered.forget_effects()
    journal = Journal(order.journal)
    watch(Cutter(journal, name, order.mode, order.only, order.spared))
    with temporary_settings({PREFECT_API_URL: order.api_url}):
        _WORK[name](order)
    journal.note("ended", name, Boundary("process", name))


def _flow(order: Order) -> None:
    process.suspend_flow_run = _suspended  # type: ignore[assignment,attr-defined]  # in its place
    try:
        process.run_process(
            PROCESS,
            customer=order.customer,
            subject=order.parameters["reference"],
            parameters=order.parameters,
        )
    except _SuspendedError:
        return


class _SuspendedError(BaseException):
    """The run would be suspended here."""


def _suspended(**given: Any) -> NoReturn:
    del given
    raise _SuspendedError


class _WhenIdle(threading.Event):
    """Stops the postman when nothing is left to send or to read."""

    def __init__(self, records: Records, mailbox: Mailbox) -> None:
        super().__init__()
        self._records = records
        self._mailbox = mailbox

    def wait(self, timeout: float | None = None) -> bool:
        """Look instead of waiting."""
        del timeout
        with self._records.read() as tx:
            waiting = outbox.waiting(tx)
        if not waiting and not list(self._mailbox.fetch()):
            self.set()
        return super().wait(0.01)


def _postman(order: Order) -> None:
    records = Records.from_settings(installation.settings())
    server = MailServer(host="127.0.0.1", port=order.smtp_port, tls="none", sender="post@sps.example")
    mailbox = Mailbox(maildir=order.notices)
    stop = _WhenIdle(records, mailbox)
    run_postman(lambda: records, server, mailbox, portal_url="https://portal.sps.example", stop=stop)


def _reconciler(order: Order) -> None:
    del order
    act_on_due(installation.records())


_WORK = {"flow": _flow, "postman": _postman, "reconciler": _reconciler}
