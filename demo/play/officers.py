"""Scripted officers: they read their mail, follow its links, fill in the real form and keep the receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from demo.play import script
from demo.play.errors import PageRefusedError
from demo.play.page import read_page
from demo.play.script import Story
from demo.play.web import Browser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from demo.play.mail import MailReader, Message
    from demo.play.page import Page
    from demo.play.script import Reply

_FACT = "fact-"


@dataclass(frozen=True)
class Decided:
    """What an officer did: who, on which question, in a few words, and the number on the receipt."""

    who: str
    title: str
    says: str
    number: str


class Officer:
    """One person with a browser and a mailbox of their own."""

    def __init__(self, name: str, address: str, portal_url: str) -> None:
        self.name = name
        self.address = address
        self.unknown: list[str] = []
        """Headings of questions that the script has no answer to."""
        self._portal_url = portal_url.rstrip("/")
        self._browser = Browser()
        self._followed: set[str] = set()

    def close(self) -> None:
        """Close the browser."""
        self._browser.__exit__()

    def look(self, address: str) -> str:
        """What an address shows; empty when it shows nothing."""
        answer = self._browser.get(address)
        return answer.text if answer.status_code == httpx.codes.OK else ""

    def read(self, message: Message, story: Story) -> Iterator[Decided]:
        """Follow the links of a mail to the portal, and answer what is asked of this officer there.

        Raises:
            PageRefusedError: the portal did not take the answer.
            SilentError: the portal did not answer.
        """
        for link in message.links:
            if not link.startswith(f"{self._portal_url}/q/") or link in self._followed:
                continue
            answer = self._browser.get(link)
            self._followed.add(link)
            if answer.status_code == httpx.codes.OK:
                yield from self._answer(read_page(answer.text), story)

    def _answer(self, page: Page, story: Story) -> Iterator[Decided]:
        if not page.is_question or page.is_receipt or not script.is_about(page, story.reference):
            return
        reply = script.reply(page, story)
        if reply is None:
            self.unknown.append(page.title)
            return
        self._read_documents(page)
        receipt = self._send(page, reply)
        yield Decided(self.name, page.title, reply.says, receipt.number)

    def _read_documents(self, page: Page) -> None:
        """Nobody approves what they have not opened."""
        for path in page.documents:
            shown = self._browser.get(f"{self._portal_url}{path}")
            if shown.status_code != httpx.codes.OK:
                raise self._refused(page, f"the document {path} cannot be opened ({shown.status_code})")

    def _send(self, page: Page, reply: Reply) -> Page:
        """Fill the form in and send it; the receipt. Sent twice, the portal shows the same receipt."""
        self._check(page, reply)
        filled = page.hidden | {"answer": reply.offer, "remark": reply.remark, "word": page.word}
        filled |= {f"{_FACT}{name}": value for name, value in reply.facts.items()}
        answer = self._browser.post(f"{self._portal_url}{page.action}", files=_parts(filled, reply))
        receipt = read_page(answer.text)
        if answer.status_code != httpx.codes.OK or not receipt.is_receipt:
            said = "; ".join(receipt.troubles) or receipt.title
            raise self._refused(page, f"the portal answered {answer.status_code}: {said}")
        return receipt

    def _check(self, page: Page, reply: Reply) -> None:
        """A person can only fill in what is there."""
        wanted = {f"{_FACT}{name}" for name in reply.facts}
        if reply.offer not in page.offers:
            raise self._refused(page, f"'{reply.offer}' is not among {', '.join(page.offers)}")
        if missing := wanted - set(page.fields):
            raise self._refused(page, f"the form has no field {', '.join(sorted(missing))}")
        if reply.papers and not page.takes_files:
            raise self._refused(page, "the form takes no documents")

    def _refused(self, page: Page, reason: str) -> PageRefusedError:
        return PageRefusedError(person=self.name, title=page.title, reason=reason.rstrip("."))


def _parts(filled: dict[str, str], reply: Reply) -> list[tuple[str, Any]]:
    """The parts of multipart/form-data, which the page's form asks for."""
    texts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in filled.items()]
    return [*texts, *(("upload", (name, content, "application/pdf")) for name, content in reply.papers)]


class Office:
    """All officers of the play, in the order in which they read their mail."""

    def __init__(self, officers: list[Officer], mail: MailReader) -> None:
        self.mail = mail
        self._by_address = {officer.address: officer for officer in officers}

    def close(self) -> None:
        """Close all browsers."""
        for officer in self._by_address.values():
            officer.close()

    @property
    def unknown(self) -> list[str]:
        """Questions that nobody's script has an answer to."""
        return [title for officer in self._by_address.values() for title in officer.unknown]

    def work(self, request: dict[str, str], today: date) -> Iterator[Decided]:
        """Everybody reads what is new in their mailbox, and answers what is asked about the request."""
        for address, message in self.mail.new(tuple(self._by_address)):
            officer = self._by_address[address]
            yield from officer.read(message, Story(request, today, officer.look))
