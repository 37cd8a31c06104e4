"""A page of the portal as a person reads it: what is asked, what can be answered, what was recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

Attributes = list[tuple[str, str | None]]


@dataclass
class Page:
    """What stands on a page.

    Attributes:
        title: its heading, or of a receipt the question's.
        about: the labelled facts of the question.
        documents: the addresses of the documents shown.
        action: where the form goes; empty: nothing is asked here (any more).
        hidden: what the form carries along unseen.
        offers: the answers to choose from.
        fields: the names of the fields to fill in.
        takes_files: whether documents can be sent along.
        word: the word to type.
        troubles: what must be put right, in the portal's words.
        number: the evidence number of a receipt; empty: this is none.
    """

    title: str = ""
    about: dict[str, str] = field(default_factory=dict)
    documents: list[str] = field(default_factory=list)
    action: str = ""
    hidden: dict[str, str] = field(default_factory=dict)
    offers: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    takes_files: bool = False
    word: str = ""
    troubles: list[str] = field(default_factory=list)
    number: str = ""

    @property
    def is_question(self) -> bool:
        """Whether an answer can be given here."""
        return bool(self.action)

    @property
    def is_receipt(self) -> bool:
        """Whether the reader's answer is recorded."""
        return bool(self.number)


def read_page(html: str) -> Page:
    """Read a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page


class _Reader(HTMLParser):
    """Notes the text of the elements that matter; none of them lies inside another of them."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._taking = ""  # the element whose text is being taken
        self._as = ""
        self._text: list[str] = []
        self._label = ""
        self._about = self._form = False

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        has = {name: value or "" for name, value in attrs}
        match tag:
            case "dl":
                self._about = has.get("class") == "about"
            case "form":
                self._form = has.get("class") == "answer"
                if self._form:
                    self.page.action = has["action"]
            case "input" | "textarea" if self._form:
                self._field(has)
            case "a" if "/documents/" in has.get("href", ""):
                self.page.documents.append(has["href"])
        if meant := self._meaning(tag, has):
            self._taking, self._as, self._text = tag, meant, []

    def handle_endtag(self, tag: str) -> None:
        if tag == self._taking:
            self._note(" ".join("".join(self._text).split()))
            self._taking = ""
        elif tag == "dl":
            self._about = False
        elif tag == "form":
            self._form = False

    def handle_data(self, data: str) -> None:
        if self._taking:
            self._text.append(data)

    def _meaning(self, tag: str, has: dict[str, str]) -> str:
        if tag in {"dt", "dd"}:
            return tag if self._about else ""
        wanted = {
            ("h1", None): "title",
            ("p", "trouble"): "trouble",
            ("p", "notice bad"): "trouble",
            ("strong", "number"): "number",
        }
        if tag == "b" and "translate" in has:
            return "word"
        return wanted.get((tag, has.get("class")), "")

    def _field(self, has: dict[str, str]) -> None:
        page, name = self.page, has.get("name", "")
        match has.get("type"):
            case "hidden":
                page.hidden[name] = has.get("value", "")
            case "radio":
                page.offers.append(has.get("value", ""))
            case "file":
                page.takes_files = True
            case _:
                page.fields.append(name)

    def _note(self, text: str) -> None:
        page = self.page
        match self._as:
            case "dt":
                self._label = text
            case "dd":
                page.about[self._label] = text
            case "title":
                page.title = text
            case "word":
                page.word = text
            case "number":
                page.number = text
            case "trouble":
                page.troubles.append(text)
