"""The demo's own pages on the two screens by which the portal is judged, in both languages."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nakoming.agreement.gate_rules import Kind
from nakoming.records.gate_model import Question
from tests.acceptance.portal.test_portal_browser import assert_no_barrier, browser, decide, page_of
from tests.harness.portal_scenes import PICTURES, SCENES, SCREENS, Scene, staged
from tests.harness.portal_server import BEN, QUOTE_FIELDS, TEXTS, Office, office, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

__all__ = ["browser"]  # the fixture of the other module
README = Path(__file__).parents[3] / "README.md"
CUT_OFF = """() => [...document.querySelectorAll("main *, header *")]
    .filter(each => each.getClientRects().length && !["INPUT", "TEXTAREA"].includes(each.tagName))
    .filter(each => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== "inline")
    .map(each => `${each.tagName}.${each.className}: ${each.textContent.slice(0, 60)}`)"""
NEXT_STEP = {  # what a reader of a scene does next, and must reach
    "quote": "form.answer button",
    "receipt": ".back button",
    "specification": "form.answer button",
    "acceptance": "form.answer button",
    "questions": ".questions li:first-child a",
}
FIRST_SCREEN = {
    "quote": ("h1", ".ask", ".due", ".outcomes"),
    "receipt": ("h1", ".then"),
    "specification": ("h1", ".ask", ".due", ".outcomes", ".jump"),
    "acceptance": ("h1", ".ask", ".due", ".outcomes"),
    "questions": ("h1", ".questions li:nth-child(2)"),
}


def assert_fits(page: Page, scene: Scene, screen: str, language: str) -> None:
    where = f"{scene.name} on a {screen} in {language}"
    size = SCREENS[screen]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], where
    assert page.evaluate(CUT_OFF) == [], where
    for seen in FIRST_SCREEN[scene.name]:
        box = page.locator(seen).bounding_box()
        assert box is not None, f"{where}: {seen}"
        assert box["y"] + box["height"] <= size["height"], f"{where}: {seen}"
    step = page.locator(NEXT_STEP[scene.name])
    step.click(trial=True)  # it can be scrolled to, and nothing lies over it
    box = step.bounding_box()
    assert box is not None
    assert box["x"] >= 0, where
    assert box["x"] + box["width"] <= size["width"], where
    assert box["height"] >= 44, f"{where}: too small for a thumb"


def test_demo_pages_fit_both_screens_and_lead_on(browser: Browser, tmp_path: Path) -> None:
    pages = {name: page_of(browser, size) for name, size in SCREENS.items()}
    seen = []
    with staged(tmp_path) as (stage, base):
        for scene in stage.scenes():
            seen.append(scene.name)
            for screen, page in pages.items():
                for language in ("en", "nl"):
                    scene.opened(page, base, language)
                    assert_fits(page, scene, screen, language)
                    if screen == "phone":  # the kinds of questions are held against both, below
                        assert_no_barrier(page, f"{scene.name} ({language})")
            if scene.name == "acceptance":
                shown = pages["phone"].locator(".about a")
                assert shown.get_attribute("href") == shown.inner_text()
                assert shown.inner_text().startswith("https://acceptatie.")
            if scene.name == "questions":
                told = pages["phone"].locator(".questions li").all_inner_texts()
                assert len(told) == 3
                assert all(re.search(r"Aanvraag: BRW-2026-01[46]", each) for each in told)
    assert tuple(seen) == SCENES
    for page in pages.values():
        page.context.close()


def test_every_picture_is_of_a_scene_and_readme_shows_pictures_that_are_there() -> None:
    expected = {Scene(name, "").picture(screen): size for name in SCENES for screen, size in SCREENS.items()}
    assert {path.name for path in PICTURES.glob("portal-*.png")} == set(expected)
    for name, size in expected.items():
        width, height = struct.unpack(">II", (PICTURES / name).read_bytes()[16:24])
        assert (width, height) == (size["width"], size["height"]), name
    named = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert any("portal-" in name for name in named)
    assert [name for name in named if not (README.parent / name).is_file()] == []


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Office]:
    with office(f"sqlite:///{tmp_path / 'records.sqlite'}", tmp_path, document_limit=200_000) as opened:
        yield opened


@pytest.mark.parametrize(
    ("screen", "language"),
    [
        ("phone", "nl"),
        ("desk", "en"),
        pytest.param("phone", "en", marks=pytest.mark.long),
        pytest.param("desk", "nl", marks=pytest.mark.long),
    ],
)
def test_no_kind_of_question_has_a_barrier_in_either_language(
    at: Office, browser: Browser, screen: str, language: str
) -> None:
    delivery = Question(texts=TEXTS, fields=QUOTE_FIELDS, documents=(1, 2), remark_required=("refuse",))
    asked = {
        "approval": (at.ask(), "refuse"),
        "delivery": (at.ask(kind=Kind.DELIVERY, question=delivery), ""),
        "choice": (at.ask(kind=Kind.CHOICE, rule={"options": ("week_50", "week_51")}), "choose:week_50"),
        "objection": (at.ask(kind=Kind.OBJECTION_WINDOW, due_by=at.now().replace(year=2099)), "object"),
        "discharge": (at.ask(kind=Kind.DISCHARGE), "discharge"),
    }
    page = page_of(browser, SCREENS[screen])
    with serving(at) as base:
        page.goto(f"{base}/lost?lang={language}")
        for kind, (gate, answer) in asked.items():
            page.goto(base + at.path(gate, BEN))
            assert page.locator("html").get_attribute("lang") == language
            assert_no_barrier(page, f"{kind} ({language})")
            if kind == "discharge":
                page.goto(f"{base}/officer/{page.url.rpartition('/')[2]}")
                assert page.locator(".questions li").count() == 2
                assert_no_barrier(page, f"open questions ({language})")
                page.goto(base + at.path(gate, BEN))
            page.locator("form.answer button").click()
            assert page.locator(".summary li").count() >= 2
            assert_no_barrier(page, f"{kind} with problems ({language})")
            if answer:
                decide(page, answer)
                page.wait_for_selector(".recorded")
                assert_no_barrier(page, f"receipt of {kind} ({language})")
    page.context.close()
