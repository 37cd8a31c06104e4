"""What a customer sees when something goes wrong, each provoked for real: no barrier, and a way on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from nakoming.agreement.gate_rules import Kind
from nakoming.portal.limits import Limits, Rate
from nakoming.records.gate_model import Question
from tests.acceptance.portal.test_portal_browser import (
    DESK,
    PHONE,
    assert_no_barrier,
    browser,
    decide,
    page_of,
)
from tests.harness.portal_server import TEXTS, Office, office, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

__all__ = ["browser"]  # the fixture of the other module
FILE_LIMIT = 20_000
AS_READ = {
    "nl-phone": ("nl", PHONE, "light"),
    "en-phone-dark": ("en", PHONE, "dark"),
    "en-desk": ("en", DESK, "light"),
}
SAID = {
    "nl": {
        "changed": ("De documenten zijn gewijzigd", "nieuwe link"),
        "already": ("Uw antwoord is vastgelegd", "Neem dat antwoord eerst terug"),
        "large": ("Dit is te groot om te ontvangen", "Er is niets vastgelegd"),
        "busy": ("Even geduld", "over 10 seconden opnieuw"),
        "busy for long": ("Even geduld", "over 17 minuten opnieuw"),
        "damaged": ("Er ging iets mis", "beschadigd"),
        "failed": ("Er ging iets mis", "noem ons dan dit nummer"),
        "down": ("Dit lukt nu niet", "Er is niets vastgelegd"),
        "forged": ("Functioneel ontwerp 1.2 goedkeuren", "Dit formulier was verlopen"),
        "back": ("Terug naar de vraag", ""),
    },
    "en": {
        "changed": ("The documents have changed", "new link"),
        "already": ("Your answer is recorded", "Take that answer back first"),
        "large": ("This is too large to receive", "Nothing was recorded"),
        "busy": ("One moment", "in 10 seconds"),
        "busy for long": ("One moment", "in 17 minutes"),
        "damaged": ("Something went wrong", "damaged"),
        "failed": ("Something went wrong", "tell us this number"),
        "down": ("This does not work right now", "Nothing was recorded"),
        "forged": ("Approve functional design 1.2", "This form had expired"),
        "back": ("Back to the question", ""),
    },
}


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Office]:
    with office(f"sqlite:///{tmp_path / 'records.sqlite'}", tmp_path, document_limit=FILE_LIMIT) as opened:
        yield opened


@pytest.fixture
def base(at: Office) -> Iterator[str]:
    with serving(at) as address:
        yield address


class Reader:
    """A customer with a browser, who chose a language."""

    def __init__(self, page: Page, base: str, language: str) -> None:
        self.page = page
        self.language = language
        page.goto(f"{base}/lost?lang={language}")

    def sees(self, what: str, status: int, act: Callable[[], object]) -> None:
        """What comes of an act is a page in their language, without a barrier."""
        title, words = SAID[self.language][what]
        with self.page.expect_response(lambda answer: answer.request.is_navigation_request()) as got:
            act()
        assert got.value.status == status, what
        expect(self.page.get_by_role("heading", level=1)).to_have_text(title)
        expect(self.page.locator("main")).to_contain_text(words)
        assert self.page.locator("html").get_attribute("lang") == self.language
        assert_no_barrier(self.page, f"{what} ({self.language})")

    def goes_back(self) -> None:
        """The page leads back to the question."""
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=SAID[self.language]["back"][0]).click()
        expect(self.page.locator("form.answer")).to_be_visible()

    def sends(self) -> None:
        """Press the button of the answer."""
        self.page.locator("form.answer button").click()


@pytest.fixture(params=AS_READ.values(), ids=AS_READ)
def reader(request: pytest.FixtureRequest, browser: Browser, base: str) -> Iterator[Reader]:
    language, viewport, scheme = request.param
    page = page_of(browser, viewport, color_scheme=scheme)
    yield Reader(page, base, language)
    page.context.close()


def execute(at: Office, statement: str) -> None:
    with at.records.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_changed_documents_and_a_second_answer(at: Office, base: str, reader: Reader) -> None:
    gate = at.ask()
    reader.page.goto(base + at.path(gate))
    execute(at, "UPDATE gates SET shown_digest = 'of other documents'")
    reader.sees("changed", 409, lambda: decide(reader.page))

    other = at.ask()
    reader.page.goto(base + at.path(other))
    second = reader.page.context.new_page()
    second.goto(reader.page.url)
    decide(second)
    reader.sees("already", 409, lambda: decide(reader.page, "refuse"))


def test_too_large_to_receive(at: Office, base: str, reader: Reader, tmp_path: Path) -> None:
    question = Question(texts=TEXTS, documents=(1, 2))
    gate = at.ask(kind=Kind.DELIVERY, question=question)
    file = tmp_path / "Tekening.pdf"
    file.write_bytes(b"%PDF-1.7\n" + b"x" * 8_000_000 + b"\n%%EOF\n")
    reader.page.goto(base + at.path(gate))
    reader.page.locator("input[value='deliver']").check()
    reader.page.locator("#upload").set_input_files(file)
    reader.sees("large", 413, reader.sends)
    reader.goes_back()


def test_too_often(at: Office, reader: Reader) -> None:
    path = at.path(at.ask())
    for rate, what in ((Rate(1, 0.1), "busy"), (Rate(1, 0.001), "busy for long")):
        with serving(at, limits=Limits(address=rate)) as strict:
            reader.page.context.request.get(strict + path)
            reader.sees(what, 429, lambda to=strict: reader.page.goto(to + path))


def test_a_fault_of_ours(at: Office, base: str, reader: Reader, tmp_path: Path) -> None:
    gate = at.ask()
    reader.page.goto(base + at.path(gate))
    for stored in (tmp_path / "documents").rglob("*"):
        if stored.is_file():
            stored.write_bytes(stored.read_bytes()[:-1] + b"\0")
    reader.sees("damaged", 500, reader.page.locator(".documents a").click)
    reader.goes_back()

    execute(at, "ALTER TABLE links RENAME TO away")
    reader.sees("down", 503, lambda: decide(reader.page))
    execute(at, "ALTER TABLE away RENAME TO links")
    reader.goes_back()

    reader.page.locator("input[name=form]").evaluate("field => { field.value = 'another'; }")
    reader.sees("forged", 403, lambda: decide(reader.page))

    execute(at, "UPDATE gates SET question_sealed = x'00'")
    reader.sees("failed", 500, reader.page.reload)
