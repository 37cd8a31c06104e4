"""The pages on which customer Brouwer decides the demo's request, and pictures of them.

`python -m tests.harness.portal_scenes` takes `docs/pictures/portal-<scene>-<screen>.png` on the two screens
by which the portal is judged; `--whole FOLDER` takes the pages in their whole length instead.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import sync_playwright

from demo.paper import TEXTS, render_pdf
from demo.play import script
from flows.rfc import beta
from flows.rfc.request import request_of
from flows.rfc_street import PROCESS
from nakoming.records import documents, links
from scripts.install_test_packages import locate
from tasks.artefacts import Artefact
from tasks.deployment import Installed, Standing
from tasks.process import Process
from tests.harness.installation import Walker, installed
from tests.harness.portal_server import Office, serving
from tests.harness.street import let_it_be

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from nakoming.records.store import Records
    from tasks.case_run import CaseRun

PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures"
SCREENS: Final = {"phone": {"width": 360, "height": 640}, "desk": {"width": 1280, "height": 800}}
SCENES: Final = ("quote", "receipt", "specification", "acceptance", "questions")
FLAGS: Final = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
_MORNING: Final = datetime(2027, 1, 11, 8, 30, tzinfo=UTC)
_REASON: Final = "De indeling in drie codes volgt uw planning; andere klanten vroegen er niet om."
_ELSEWHERE: Final = "https://acceptatie.brouwer-plaatwerk.example"


@dataclass(frozen=True)
class Scene:
    """A page: the link that leads there, and what is opened after it."""

    name: str
    link: str
    then: str = ""

    def opened(self, page: Page, base: str, language: str = "nl") -> None:
        """Open it, in a language."""
        page.goto(base + self.link)
        if self.then or language != "nl":
            page.goto(f"{base}{self.then or page.url.removeprefix(base)}?lang={language}")

    def picture(self, screen: str) -> str:
        """The name of its picture on a screen."""
        return f"portal-{self.name}-{screen}.png"


@dataclass
class Stage:
    """The demo's request, walked from question to question while its pages are looked at."""

    records: Records

    def scenes(self) -> Iterator[Scene]:
        """The pages in the order of the request; each is there until the next one is asked for."""
        let_it_be(self.records, _MORNING)
        walker = self._started(script.read_request())
        walker.answer("judgement/choice", "choose", option="specific", remark=_REASON)
        walker.enter()
        offer = (
            f"# Offerte {walker.subject}\n\n{walker.parameters['title']}\n\nPrijs: € 1.250,00 exclusief btw."
        )
        self._delivers(walker, "quote/delivery", f"offerte-{walker.subject}", offer, amount=script.AMOUNT)
        yield Scene("quote", self._link(walker, "quote/approval"))
        walker.answer("quote/approval", "approve")
        yield Scene("receipt", self._link(walker, "quote/approval"))
        walker.enter()
        yield from self._specified(walker)
        yield from self._accepted(walker)

    def _specified(self, walker: Walker) -> Iterator[Scene]:
        walker.deliver("planning/1/proposal", planned_on=_MORNING.date().isoformat())
        walker.enter()
        walker.answer("planning/1/approval", "approve")
        walker.enter()
        self._delivers(walker, "requirement-analysis/1/delivery", "behoefteanalyse")
        walker.answer("requirement-analysis/1/approval", "approve")
        walker.enter()
        self._delivers(walker, "functional-specification/1/delivery", "functionele-specificatie-1")
        yield Scene("specification", self._link(walker, "functional-specification/1/approval"))

    def _accepted(self, walker: Walker) -> Iterator[Scene]:
        walker.process = Process(kind=PROCESS.kind, revision=PROCESS.revision, walk=_asks_acceptance)
        walker.enter()
        link = self._link(walker, "acceptance/1/approval")
        yield Scene("acceptance", link)
        other = {"reference": "BRW-2026-016", "title": "Leverweek op de pakbon", "description": "–"}
        self._started(other, requester="planning@brouwer-plaatwerk.example")
        with self.records.read() as tx:
            link_id = links.of_gate(tx, walker.gate("acceptance/1/approval").id)[0].id
        yield Scene("questions", link, f"/officer/{link_id}")

    def _started(self, request: dict[str, str], **changed: str) -> Walker:
        given = script.parameters(request) | changed
        customer = given.pop("customer")
        given |= {"documents": [], "build_command": "suite", "test_command": "suite"}
        walker = Walker(self.records, PROCESS, customer, request["reference"], given)
        walker.enter()
        return walker

    def _delivers(self, walker: Walker, gate: str, name: str, text: str = "", **facts: str) -> None:
        text = text or (TEXTS / script.LANGUAGE / f"{name}.md").read_text(encoding="utf-8")
        paper = documents.add(self.records, walker.customer, f"{name}.pdf", render_pdf(text), by="test")
        walker.answer(gate, "deliver", documents=(paper.id,), facts=facts)
        walker.enter()

    def _link(self, walker: Walker, gate: str) -> str:
        """The path of the link of the first person who is asked."""
        with self.records.read() as tx:
            link = links.of_gate(tx, walker.gate(gate).id)[0]
            return f"/q/{links.token(self.records.keys, link.id, link.generation)}"


def _asks_acceptance(case: CaseRun) -> str:
    """The street's own question about a beta, without building and installing one."""
    digest = "7f" * 32
    made = Artefact(revision="1.1", version="1.1", sha256=digest, file="suite.tar.gz")
    done = Installed(
        ok=True, reason="", sha256=digest, version="1.1", url=_ELSEWHERE, script_sha256=None, output=""
    )
    standing = beta.Beta(
        artefact=made,
        installed=done,
        installed_at=case.now("pictured/installed-at"),
        built_on=Standing(sha256=None, version=None, url=None),
    )
    case.answer(beta.ask_acceptance(case, request_of(case), 1, standing, _MORNING.date()))
    return "pictured"


@contextmanager
def staged(home: Path) -> Iterator[tuple[Stage, str]]:
    """The demo's customer in an installation of its own, and the address of its portal."""
    with (
        pytest.MonkeyPatch.context() as patch,
        installed(home, f"sqlite:///{home / 'records.sqlite'}", patch) as records,
        serving(Office(records)) as base,
    ):
        yield Stage(records), base


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
        yield started
        started.close()


def take(folder: Path, *, whole: bool) -> list[Path]:
    """Take every scene on both screens; the files."""
    taken = []
    with (
        tempfile.TemporaryDirectory() as home,
        chromium(locate("chromium")) as browser,
        staged(Path(home)) as (stage, base),
    ):
        pages = {name: browser.new_context(viewport=size).new_page() for name, size in SCREENS.items()}  # type: ignore[arg-type] - a literal of two numbers
        for scene in stage.scenes():
            for screen, page in pages.items():
                scene.opened(page, base)
                taken.append(folder / scene.picture(screen))
                page.screenshot(path=taken[-1], full_page=whole)
    return taken


def main() -> None:
    """Take the pictures and name the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", type=Path, metavar="FOLDER", help="whole pages, in this folder")
    whole: Path | None = parser.parse_args().whole
    for file in take(whole or PICTURES, whole=whole is not None):
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
