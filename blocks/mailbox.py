"""Reading a mailbox: each message until it is marked as done; none is lost when the reader dies between.

`fetch` changes nothing; only `done` does. A message fetched and not done is fetched again, so the reader's
work on it must bear repeating.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self

from prefect.blocks.core import Block
from pydantic import Field, model_validator

from blocks.secrets import SecretReference, resolve
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_IMAP_ID: Final = re.compile(r"([1-9][0-9]{0,9})\.([1-9][0-9]{0,9})")
_MAILDIR_ID: Final = re.compile(r"[^/\x00:]+")


class MailboxUnreachable(NakomingError):
    """The mailbox cannot be opened or read."""

    template = "The mailbox {mailbox} cannot be read: {reason}"
    code = "NK4020"


class MailboxMessageUnknown(NakomingError):
    """An id that `fetch` did not give, or of a mailbox that was made anew since."""

    template = "The mailbox {mailbox} has no message {id}; fetch again and use the ids it gives now."
    code = "NK4021"


class RawMessage(NamedTuple):
    """One message as it came: an id for `done`, and its bytes."""

    id: str
    raw: bytes


class Mailbox(Block):
    """A mailbox that is read: a Maildir folder, or an account on an IMAP server.

    Set either `maildir` or `host`. The IMAP password is a reference (`env:NAME`, `file:path`) resolved when
    connecting, and goes over TLS only, except on this machine's own loopback.

    Examples:
        Read what is new and mark it as dealt with:
        ```python
        from pathlib import Path

        from blocks.mailbox import Mailbox

        mailbox = Mailbox(maildir=Path("bounces"))
        mailbox.check()
        read = []
        for message in mailbox.fetch():
            read.append(message.raw)
            mailbox.done(message.id)
        ```
    """

    _block_type_name = "Mailbox"
    _block_type_slug = "nakoming-mailbox"

    maildir: Path | None = Field(default=None, description="A Maildir: a folder with new, cur and tmp.")
    host: str | None = Field(
        default=None, description="Name or address of the IMAP server.", pattern=r"^[A-Za-z0-9.:-]+$"
    )
    port: int = Field(default=993, ge=1, le=65535, description="TCP port of the IMAP server.")
    tls: Literal["implicit", "starttls", "none"] = Field(
        default="implicit",
        description="Protection: TLS from the first byte, STARTTLS, or none (loopback only).",
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authority behind the server's certificate; empty: system's.",
    )
    username: str | None = Field(default=None, description="IMAP account.")
    password: SecretReference | None = Field(
        default=None, description="Where the password lies: env:NAME or file:path."
    )
    folder: str = Field(
        default="INBOX",
        description="IMAP folder to read, ASCII.",
        pattern=r'^[^\x00-\x1f\x7f-\U0010ffff"\\]+$',
    )
    timeout: float = Field(
        default=30.0, gt=0, le=600, description="Seconds to wait for each answer of the IMAP server."
    )

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if (self.maildir is None) == (self.host is None):
            message = "set either maildir or host"
            raise ValueError(message)
        if self.host is not None and (self.username is None or self.password is None):
            message = "an IMAP account needs username and password"
            raise ValueError(message)
        if self.host is not None and self.tls == "none" and self.host not in _LOOPBACK:
            message = "IMAP without TLS is for loopback only: set tls to implicit or starttls"
            raise ValueError(message)
        return self

    @property
    def name(self) -> str:
        """How messages and errors name this mailbox."""
        return (
            str(self.maildir) if self.maildir else f"{self.username} at {self.host}:{self.port} {self.folder}"
        )

    def check(self) -> None:
        """Open the mailbox and look; change nothing.

        Raises:
            MailboxUnreachable: with the reason in the server's or the system's words.
        """
        if self.maildir:
            self._maildir_paths(self.maildir)
        else:
            with self._imap():
                pass

    def fetch(self) -> Iterator[RawMessage]:
        """Each message not yet done, oldest first; the mailbox stays as it is.

        Raises:
            MailboxUnreachable: it cannot be opened or read.
        """
        return self._fetch_maildir(self.maildir) if self.maildir else self._fetch_imap()

    def done(self, id: str) -> None:  # noqa: A002 - the field's own name, as in RawMessage
        """Mark a message as dealt with: Maildir's S flag in `cur`, IMAP's Seen. Repeating it is harmless.

        Raises:
            MailboxMessageUnknown: no such message here.
            MailboxUnreachable: it cannot be opened or changed.
        """
        if self.maildir:
            self._done_maildir(self.maildir, id)
        else:
            self._done_imap(id)

    def _maildir_paths(self, folder: Path) -> list[Path]:
        try:
            fresh = list((folder / "new").iterdir())
            return fresh + [path for path in (folder / "cur").iterdir() if "S" not in _flags(path)]
        except OSError as error:
            raise MailboxUnreachable(mailbox=self.name, reason=error.strerror or error) from error

    def _fetch_maildir(self, folder: Path) -> Iterator[RawMessage]:
        for path in sorted(self._maildir_paths(folder), key=_age):
            try:
                yield RawMessage(_base(path), path.read_bytes())
            except FileNotFoundError:
                continue  # done by another reader meanwhile
            except OSError as error:
                raise MailboxUnreachable(mailbox=self.name, reason=error.strerror or error) from error

    def _done_maildir(self, folder: Path, name: str) -> None:
        if not _MAILDIR_ID.fullmatch(name):
            raise MailboxMessageUnknown(mailbox=self.name, id=name)
        for path in self._maildir_paths(folder):
            if _base(path) == name:
                flags = "".join(sorted({*_flags(path), "S"}))  # Maildir: flags in ASCII order
                path.rename(folder / "cur" / f"{name}:2,{flags}")
                return
        if not any(_base(path) == name for path in (folder / "cur").iterdir()):
            raise MailboxMessageUnknown(mailbox=self.name, id=name)

    @contextmanager
    def _imap(self) -> Iterator[tuple[imaplib.IMAP4, str]]:
        try:
            client = self._connect()
            try:
                yield client, self._open(client)
            finally:
                with suppress(OSError, imaplib.IMAP4.error):
                    client.logout()
        except (OSError, imaplib.IMAP4.error) as error:
            raise MailboxUnreachable(mailbox=self.name, reason=_reason(error)) from error

    def _connect(self) -> imaplib.IMAP4:
        context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        host = str(self.host)
        if self.tls == "implicit":
            return imaplib.IMAP4_SSL(host, self.port, ssl_context=context, timeout=self.timeout)
        client = imaplib.IMAP4(host, self.port, timeout=self.timeout)
        if self.tls == "starttls":
            try:
                client.starttls(context)
            except BaseException:
                client.shutdown()
                raise
        return client

    def _open(self, client: imaplib.IMAP4) -> str:
        """Log in, open the folder, return its UIDVALIDITY: ids of an older one mean other messages."""
        if self.username is not None and self.password is not None:
            client.login(self.username, resolve(self.password))
        _ok(client.select(f'"{self.folder}"'))
        validity = client.response("UIDVALIDITY")[1][0]
        return validity.decode() if isinstance(validity, bytes) else "0"

    def _fetch_imap(self) -> Iterator[RawMessage]:
        with self._imap() as (client, validity):
            found = _ok(client.uid("SEARCH", "UNSEEN"))[0] or b""
            for uid in sorted(found.split(), key=int):
                # PEEK: reading must not mark it as seen.
                for part in _ok(client.uid("FETCH", uid.decode(), "(BODY.PEEK[])")):
                    if isinstance(part, tuple):
                        yield RawMessage(f"{validity}.{uid.decode()}", part[1])

    def _done_imap(self, name: str) -> None:
        match = _IMAP_ID.fullmatch(name)
        with self._imap() as (client, validity):
            known = match and match[1] == validity and _ok(client.uid("SEARCH", "UID", match[2]))[0]
            if not match or not known:
                raise MailboxMessageUnknown(mailbox=self.name, id=name)
            _ok(client.uid("STORE", match[2], "+FLAGS.SILENT", r"(\Seen)"))


def _base(path: Path) -> str:
    return path.name.partition(":")[0]


def _flags(path: Path) -> str:
    return path.name.partition(":2,")[2]


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except FileNotFoundError:
        return 0, path.name  # moved meanwhile; reading it will tell


def _ok(answer: tuple[str, list[Any]]) -> list[Any]:
    kind, data = answer
    if kind != "OK":
        raise imaplib.IMAP4.error(data[0])
    return data


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    first = error.args[0] if error.args else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(error)
