"""A mail scanner with a whole browser: it opens the link, runs what runs, presses and sends all it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from nakoming.agreement.gate_rules import Kind
from nakoming.records import answers
from nakoming.records.gate_model import Question
from tests.acceptance.portal.test_portal_browser import DESK, browser, decide, page_of
from tests.harness.portal_server import ANNA, QUOTE_FIELDS, TEXTS, Office, office, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from nakoming.records.gate_model import Gate

__all__ = ["browser"]  # the fixture of the other module
PRESSED = "button, input[type=submit], input[type=button], [role=button], [onclick]"
FILL = """junk => {
    for (const field of document.querySelectorAll("input, textarea, select")) {
        if (field.type === "hidden" || field.type === "file") continue;
        if (field.type === "radio" || field.type === "checkbox") field.checked = true;
        else if (junk) field.value = junk;
    }
}"""
ANSWER_FIRST = "value => { document.querySelector(`input[value='${value}']`).checked = true; }"


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Office]:
    with office(f"sqlite:///{tmp_path / 'records.sqlite'}", tmp_path, document_limit=200_000) as opened:
        yield opened


@pytest.fixture
def base(at: Office) -> Iterator[str]:
    with serving(at) as address:
        yield address


class Scanner:
    """What a scanner does with a link; it counts what it sent, so that no test passes without sending."""

    def __init__(self, page: Page, base: str, path: str) -> None:
        self.page = page
        self.base = base
        self.path = path
        self.posts = 0
        page.on("request", lambda request: self._count(request.method))

    def _count(self, method: str) -> None:
        self.posts += method == "POST"

    def _open(self, address: str = "") -> None:
        self.page.goto(self.base + (address or self.path))

    def presses_everything(self, junk: str, address: str = "") -> None:
        """Fill every field, press each button and send each form by script, each on a fresh page."""
        self._open(address)
        buttons, forms = self.page.locator(PRESSED).count(), self.page.locator("form").count()
        for number in range(buttons):
            self._open(address)
            self.page.evaluate(FILL, junk)
            with self.page.expect_navigation():
                self.page.locator(PRESSED).nth(number).click()
        for number in range(forms):
            self._open(address)
            self.page.evaluate(FILL, junk)
            with self.page.expect_navigation():
                self.page.evaluate("number => document.forms[number].submit()", number)

    def chooses_each_answer(self) -> None:
        """Choose one answer after the other and send the form, the word as it finds it: empty."""
        self._open()
        offers = self.page.locator("input[name=answer]")
        for value in [offers.nth(n).get_attribute("value") for n in range(offers.count())]:
            self._open()
            self.page.evaluate(ANSWER_FIRST, value)
            with self.page.expect_navigation():
                self.page.locator("form.answer button").click()

    def follows_every_link(self) -> None:
        """Open what the page leads to, and press everything there too; a file is fetched only."""
        self._open()
        found = self.page.locator("a[href]").evaluate_all("links => links.map(link => link.pathname)")
        for address in sorted({each for each in found if "/documents/" not in each}):
            self.presses_everything("x", address)
        for address in {each for each in found if "/documents/" in each}:
            assert self.page.context.request.get(self.base + address).ok


def kinds(at: Office) -> dict[str, Gate]:
    delivery = Question(texts=TEXTS, fields=QUOTE_FIELDS, documents=(0, 2))
    return {
        "approval": at.ask(),
        "delivery": at.ask(kind=Kind.DELIVERY, question=delivery),
        "choice": at.ask(kind=Kind.CHOICE, rule={"options": ("week_50", "week_51")}),
        "objection": at.ask(kind=Kind.OBJECTION_WINDOW, due_by=at.now().replace(year=2099)),
        "discharge": at.ask(kind=Kind.DISCHARGE),
    }


def given(at: Office, gate: Gate) -> list[str]:
    with at.records.read() as tx:
        return [each.verb for each in answers.of_gate(tx, gate.id) if each.retracted_at is None]


@pytest.mark.parametrize("kind", ["approval", "delivery", "choice", "objection", "discharge"])
def test_scanner_that_presses_everything_decides_nothing(
    at: Office, base: str, browser: Browser, kind: str
) -> None:
    asked = kinds(at)
    gate = asked[kind]
    page = page_of(browser, DESK)
    scanner = Scanner(page, base, at.path(gate))
    for junk in ("", "test", "2027-01-31"):
        scanner.presses_everything(junk)
    scanner.chooses_each_answer()
    scanner.follows_every_link()
    assert scanner.posts >= 8
    assert [(given(at, each), at.gate(each.id).state) for each in asked.values()] == [([], "open")] * 5
    assert at.woken == []
    page.context.close()


def test_link_still_works_for_the_person_after_the_scanner_and_the_scanner_takes_nothing_back(
    at: Office, base: str, browser: Browser
) -> None:
    gate = at.ask(contacts=(ANNA,))
    scanned = page_of(browser, DESK)
    scanner = Scanner(scanned, base, at.path(gate))
    scanner.presses_everything("test")
    person = page_of(browser)
    person.goto(base + at.path(gate))
    decide(person)
    expect(person.get_by_role("heading", level=1)).to_have_text("Uw antwoord is vastgelegd")
    scanner.posts = 0
    for junk in ("", "test"):
        scanner.presses_everything(junk)
    assert scanner.posts == 4  # the receipt has one form, which takes the answer back: pressed and sent twice
    assert given(at, gate) == ["approve"]
    assert at.gate(gate.id).state == "fulfilled"
    for page in (scanned, person):
        page.context.close()
