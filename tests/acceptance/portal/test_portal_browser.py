"""In the customer's chair: a real browser, a phone and a desk, a keyboard, no JavaScript, no barrier."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from nakoming.agreement.gate_rules import Kind
from nakoming.records.gate_model import Question
from tests.harness.portal_server import ANNA, BEN, QUOTE_FIELDS, TEXTS, Office, office, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from nakoming.records.gate_model import Gate

PHONE = {"width": 360, "height": 640}
DESK = {"width": 1280, "height": 800}
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
DEEP = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        yield started
        started.close()


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("portal")
    with office(f"sqlite:///{folder / 'records.sqlite'}", folder, document_limit=200_000) as opened:
        yield opened


@pytest.fixture(scope="module")
def base(at: Office) -> Iterator[str]:
    with serving(at) as address:
        yield address


def page_of(browser: Browser, viewport: dict[str, int] = PHONE, **options: object) -> Page:
    page = browser.new_context(viewport=viewport, **options).new_page()
    page.set_default_timeout(10_000)
    return page


def approval(at: Office) -> Gate:
    return at.ask(due_by=datetime(2099, 12, 11, 23, 0, tzinfo=UTC))


def delivery(at: Office) -> Gate:
    question = Question(texts=TEXTS, fields=QUOTE_FIELDS, documents=(1, 2), remark_required=("refuse",))
    return at.ask(kind=Kind.DELIVERY, question=question, due_by=at.now() + timedelta(hours=5))


def choice(at: Office) -> Gate:
    return at.ask(kind=Kind.CHOICE, rule={"options": ("week_50", "week_51")}, document=None)


def word(page: Page) -> str:
    return page.locator(".field b").inner_text()


def decide(page: Page, answer: str = "approve") -> None:
    page.locator(f"input[value='{answer}']").check()
    page.locator("#word").fill(word(page))
    page.locator("form.answer button").click()


def assert_no_barrier(page: Page, what: str) -> None:
    """No violation in axe (WCAG 2.2 AA and best practice), and nothing wider than the screen."""
    results = Axe().run(page, options=DEEP)
    assert results.violations_count == 0, f"{what}:\n{results.generate_report()}"
    wide, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window, f"{what} is {wide} pixels wide in a window of {window}"


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [(PHONE, "light"), (PHONE, "dark"), (DESK, "light")],
    ids=["phone", "dark", "desk"],
)
def test_no_page_has_a_barrier(
    at: Office, base: str, browser: Browser, viewport: dict[str, int], scheme: str
) -> None:
    page = page_of(browser, viewport, color_scheme=scheme)
    asked = approval(at)
    page.goto(base + at.path(asked))
    assert_no_barrier(page, "question")
    page.locator("form.answer button").click()
    expect(page.locator(".summary")).to_be_visible()
    assert_no_barrier(page, "question with problems")
    decide(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Uw antwoord is vastgelegd")
    assert_no_barrier(page, "receipt")
    page.get_by_role("link", name="Al uw open vragen").click()
    assert_no_barrier(page, "all open questions")
    for gate, what in ((delivery(at), "delivery"), (choice(at), "choice")):
        page.goto(base + at.path(gate))
        page.locator("input[name=answer]").first.check()
        assert_no_barrier(page, what)
    refused = approval(at)
    page.goto(base + at.path(refused, BEN))
    decide(page, "refuse")
    page.goto(base + at.path(refused, ANNA))
    assert_no_barrier(page, "closed")
    for path in ("/lost", "/q/unknown"):
        page.goto(base + path)
        assert_no_barrier(page, path)
    page.goto(base + "/lost")
    page.get_by_label("E-mail").fill("nobody@acme.example")
    page.get_by_role("button").click()
    assert_no_barrier(page, "lost, sent")
    page.context.close()


def test_barrier_is_seen_when_there_is_one(at: Office, base: str, browser: Browser) -> None:
    page = page_of(browser)
    page.goto(base + at.path(approval(at)))
    page.evaluate("document.querySelector('label[for=word]').remove()")
    with pytest.raises(AssertionError, match="label"):
        assert_no_barrier(page, "damaged")
    page.context.close()


LONG = {
    "nl": {
        "title": "Offerte van € 1.250,00 voor 2026-014",
        "ask": (
            "Wij maken “Spoedcode op productieorders tonen in de planning” voor € 1.250,00 exclusief btw. "
            "Gaat u daarmee akkoord? Zonder uw akkoord wordt niets gepland of gebouwd en wordt niets in "
            "rekening gebracht."
        ),
        "about": [["Aanvraag", "2026-014"], ["Beoordeling", "–"]],
        "verbs": {
            "approve": {
                "label": "Akkoord met de offerte",
                "next": "Wij stellen een datum voor en beginnen met de requirementanalyse.",
            },
            "refuse": {
                "label": "Niet akkoord",
                "next": "De aanvraag eindigt; er wordt niets gebouwd en niets berekend.",
            },
        },
    }
}


def assert_in_first_screen(page: Page, viewport: dict[str, int], *parts: str) -> None:
    for seen in parts:
        box = page.locator(seen).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= viewport["height"], seen


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_what_is_asked_by_when_and_what_happens_next_is_seen_without_scrolling(
    at: Office, base: str, browser: Browser, viewport: dict[str, int]
) -> None:
    page = page_of(browser, viewport)
    quote = at.ask(question=Question(texts=LONG), due_by=at.now() + timedelta(days=30))
    for gate in (approval(at), quote):
        page.goto(base + at.path(gate))
        assert_in_first_screen(page, viewport, "h1", ".ask", ".due", ".outcomes")
    assert page.locator(".outcomes li").last.inner_text() == (
        "Niet akkoord: De aanvraag eindigt; er wordt niets gebouwd en niets berekend."
    )
    assert page.locator(".about").inner_text().split() == ["Aanvraag", "2026-014"]
    decide(page)
    assert_in_first_screen(page, viewport, "h1", ".then")
    page.context.close()


def test_a_question_says_its_deadline_in_full_and_chooses_nothing_beforehand(
    at: Office, base: str, browser: Browser
) -> None:
    page = page_of(browser)
    page.goto(base + at.path(approval(at)))
    assert "vrijdag 11 december 2099, 24:00 uur" in page.locator(".due").inner_text()
    assert page.locator("input[name=answer]:checked").count() == 0
    assert page.locator(".offer .next").first.inner_text() == "Daarna: Wij beginnen met bouwen."
    page.context.close()


def test_decision_by_keyboard_alone(at: Office, base: str, browser: Browser) -> None:
    gate = approval(at)
    page = page_of(browser, DESK)
    page.goto(base + at.path(gate))
    typed = word(page)
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.id || document.activeElement.value || ''")
        reached.append(focused)
        if focused == "approve":
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("ArrowUp")
        if focused == "word":
            page.keyboard.type(typed)
            page.keyboard.press("Enter")
            break
    expect(page.get_by_role("heading", level=1)).to_have_text("Uw antwoord is vastgelegd")
    assert at.gate(gate.id).verb == "approve"
    assert reached.index("approve") < reached.index("remark") < reached.index("word")
    page.context.close()


def test_decision_without_javascript(at: Office, base: str, browser: Browser, tmp_path: Path) -> None:
    gate = delivery(at)
    file = tmp_path / "Offerte.pdf"
    file.write_bytes(b"%PDF-1.7\n%%EOF\n")
    page = page_of(browser, java_script_enabled=False)
    page.goto(base + at.path(gate))
    expect(page.locator("#fact-amount")).to_be_hidden()
    page.locator("input[value='deliver']").check()
    page.locator("#fact-amount").fill("1.250,00")
    page.locator("#fact-valid_until").fill("31-01-2027")
    page.locator("#upload").set_input_files(file)
    page.locator("#word").fill(word(page))
    page.locator("form.answer button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Uw antwoord is vastgelegd")
    assert at.gate(gate.id).state == "fulfilled"
    page.context.close()


def test_link_of_a_problem_leads_to_its_field_and_the_words_are_in_the_readers_language(
    at: Office, base: str, browser: Browser
) -> None:
    gate = approval(at)
    page = page_of(browser)
    page.goto(base + at.path(gate))
    page.get_by_role("link", name="English").click()
    decide(page, "request_changes")
    page.get_by_role("link", name="Say why: this answer needs a remark.").click()
    assert page.evaluate("document.activeElement.id") == "remark" or page.url.endswith("#remark")
    described = page.locator("#remark").get_attribute("aria-describedby")
    assert described == "remark-hint trouble-remark-1"
    assert page.locator("#word").input_value() == word(page)
    page.context.close()


def test_answer_is_taken_back_and_given_anew(at: Office, base: str, browser: Browser) -> None:
    gate = approval(at)
    page = page_of(browser)
    page.goto(base + at.path(gate))
    decide(page)
    page.locator("#word").fill(word(page))
    page.get_by_role("button", name="Antwoord terugnemen").click()
    expect(page.get_by_role("status")).to_have_text("Uw antwoord is teruggenomen. U kunt opnieuw antwoorden.")
    decide(page, "refuse")
    expect(page.get_by_role("heading", level=1)).to_have_text("Uw antwoord is vastgelegd")
    assert at.gate(gate.id).verb == "refuse"
    page.context.close()


def test_browser_blocks_nothing_and_asks_for_nothing_from_elsewhere(
    at: Office, base: str, browser: Browser
) -> None:
    page = page_of(browser)
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(base + at.path(approval(at)))
    decide(page)
    assert all(url.startswith(base) for url in asked)
    assert complaints == []
    assert "/q/" not in page.url
    page.context.close()
