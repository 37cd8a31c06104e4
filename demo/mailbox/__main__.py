"""The mail server and its page: `python -m demo.mailbox --root DIR --smtp-port N --http-port N`."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from pathlib import Path

import uvicorn

from demo.mailbox.page import make_page
from demo.mailbox.server import LOOPBACK, MailboxSettings, PortTaken, listen
from nakoming.errors import NakomingError


def main() -> int:
    """Run until SIGINT or SIGTERM; say one sentence when that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m demo.mailbox", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder that holds all mail")
    parser.add_argument("--smtp-port", type=int, required=True, help="0 takes any free port")
    parser.add_argument("--http-port", type=int, required=True, help="0 takes any free port")
    parser.add_argument(
        "--bounce-after", type=float, default=0.5, help="seconds before a bounced mail comes back"
    )
    arguments = parser.parse_args()
    settings = MailboxSettings(arguments.root, arguments.smtp_port, arguments.bounce_after)
    try:
        asyncio.run(_serve(settings, arguments.http_port))
    except NakomingError as error:
        sys.stderr.write(f"{error.code} {error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        pass
    return 0


async def _serve(settings: MailboxSettings, http_port: int) -> None:
    with _bound(http_port) as http:
        server, mailbox = await listen(settings)
        page = uvicorn.Server(uvicorn.Config(make_page(mailbox.store), log_level="warning", lifespan="off"))
        address = f"http://{LOOPBACK}:{http.getsockname()[1]}/"
        sys.stdout.write(f"mail on {LOOPBACK}:{mailbox.port}, mailboxes on {address}\n")
        sys.stdout.flush()
        try:
            await page.serve([http])
        finally:
            server.close()


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortTaken(port=port, purpose="the mailbox page", reason=error.strerror or error) from error
    return listener


if __name__ == "__main__":
    sys.exit(main())
