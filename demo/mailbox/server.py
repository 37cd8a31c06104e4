"""Runs the mail server: for good beside its page, or in a thread for as long as somebody needs it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from demo.mailbox.smtp import Behaviour, DsnSMTP, Handler
from demo.mailbox.store import Store
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

LOOPBACK = "127.0.0.1"


class PortTaken(NakomingError):
    """Something else listens on the port."""

    template = (
        "Port {port} on 127.0.0.1 cannot be used for {purpose}: {reason}. "
        "Stop what uses it or choose another."
    )
    code = "NK4040"


@dataclass(frozen=True)
class MailboxSettings:
    """Where mail lies and how the server behaves.

    `smtp_port` 0 takes any free port; `bounce_after` is in seconds, from a mail's 250 to its failure notice.
    """

    root: Path
    smtp_port: int = 0
    bounce_after: float = 0.5
    tls_context: ssl.SSLContext | None = None
    implicit_tls: bool = False
    smtp_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunningMailbox:
    """A server that listens: its port and its store."""

    port: int
    store: Store


async def listen(settings: MailboxSettings) -> tuple[asyncio.Server, RunningMailbox]:
    """Open the port and take mail on the running loop.

    Raises:
        PortTaken: the port is in use or not allowed.
    """
    store = Store(settings.root)
    store.release()  # what was pending when an earlier server ended is due now
    handler = Handler(store, Behaviour(settings.root / "behaviour.json"), settings.bounce_after)
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            _protocols(handler, settings, loop),
            LOOPBACK,
            settings.smtp_port,
            ssl=settings.tls_context if settings.implicit_tls else None,
        )
    except OSError as error:
        raise PortTaken(port=settings.smtp_port, purpose="mail", reason=error.strerror or error) from error
    return server, RunningMailbox(server.sockets[0].getsockname()[1], store)


def _protocols(
    handler: Handler, settings: MailboxSettings, loop: asyncio.AbstractEventLoop
) -> Callable[[], DsnSMTP]:
    starttls = None if settings.implicit_tls else settings.tls_context
    return lambda: DsnSMTP(handler, tls_context=starttls, loop=loop, **settings.smtp_options)


@contextmanager
def running(settings: MailboxSettings) -> Iterator[RunningMailbox]:
    """A server in a thread of its own; it listens when the block is entered and is gone when it is left."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="demo-mailbox", daemon=True)
    thread.start()
    try:
        server, mailbox = asyncio.run_coroutine_threadsafe(listen(settings), loop).result(10)
        try:
            yield mailbox
        finally:
            asyncio.run_coroutine_threadsafe(_close(server), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
