"""The postman's process: `python -m tasks.postman`, until SIGTERM or SIGINT. kill -9 loses nothing."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING

import httpx

from blocks.mail_server import MailServer
from blocks.mailbox import Mailbox
from nakoming.errors import NakomingError
from nakoming.records import migrate
from nakoming.records.store import Records
from tasks import installation
from tasks.blocks import load_block
from tasks.postman.errors import ConnectionsUnknown
from tasks.postman.running import run_postman

if TYPE_CHECKING:
    from types import FrameType

SERVER_BLOCK = "mail"
MAILBOX_BLOCK = "notices"


def main() -> int:
    """Deliver mail until a signal says to stop; say one sentence when that cannot be."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    for each in (signal.SIGTERM, signal.SIGINT):  # a parent started with & passes on an ignored SIGINT
        signal.signal(each, end)
    try:
        server, mailbox = _connections()
        run_postman(_records, server, mailbox, portal_url=installation.settings().portal_url, stop=stop)
    except NakomingError as error:
        sys.stderr.write(f"{error.code} {error}\n")
        return error.exit_status
    return 0


def _connections() -> tuple[MailServer, Mailbox]:
    try:
        return load_block(MailServer, SERVER_BLOCK), load_block(Mailbox, MAILBOX_BLOCK)
    except (httpx.HTTPError, RuntimeError) as away:
        raise ConnectionsUnknown(reason=str(away) or type(away).__name__) from away


def _records() -> Records:
    """The records with a pool of connections: this process lives long and forks nothing."""
    opened = Records.from_settings(installation.settings(), pooled=True)
    migrate.require_current(opened)
    return opened


if __name__ == "__main__":
    sys.exit(main())
