"""The officers' mail, read over the mailbox page's JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.play.web import Browser


@dataclass(frozen=True)
class Message:
    """A mail: its subject and the links in it."""

    id: str
    subject: str
    links: tuple[str, ...]


class MailReader:
    """Reads what is new; a mailbox is opened only when its number of mails has changed."""

    def __init__(self, browser: Browser, mailbox_url: str) -> None:
        self._browser = browser
        self._url = mailbox_url.rstrip("/")
        self._counted: dict[str, int] = {}
        self._read: set[str] = set()

    @property
    def total(self) -> int:
        """How many mails there were at the last look, in all mailboxes."""
        return sum(self._counted.values())

    def new(self, addresses: Sequence[str]) -> list[tuple[str, Message]]:
        """The mails to these addresses that were not given before, each with its address."""
        counts = {
            each["address"]: int(each["messages"])
            for each in self._browser.get(f"{self._url}/api/mailboxes").json()
        }
        changed = [address for address in addresses if counts.get(address) != self._counted.get(address)]
        found = [(address, message) for address in changed for message in self._messages(address)]
        self._counted = counts
        fresh = [(address, message) for address, message in found if message.id not in self._read]
        self._read |= {message.id for _, message in fresh}
        return fresh

    def _messages(self, address: str) -> list[Message]:
        listed = self._browser.get(f"{self._url}/api/mailboxes/{address}/messages").json()
        return [Message(each["id"], each["subject"], tuple(each["links"])) for each in listed]
