"""What the demo's officers answer, by what their page asks: the same page always gets the same answer.

So an officer needs no memory: after a crash, reading the mail again leads to the same decisions.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from demo.paper import TEXTS, render_pdf
from demo.play.errors import RevisionRedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from demo.play.page import Page

LANGUAGE: Final = "nl"
CUSTOMER: Final = "brouwer"
REQUESTER: Final = "joost.smit@brouwer-plaatwerk.example"
AMOUNT: Final = "1250.00"
NEW_FIELD: Final = "Spoedcode"
NONE_BEFORE: Final = "–"
"""What stands in a page's facts where nothing came before; or the page leaves the line out."""

_FIRST_REVISION, _MENDED_REVISION = "1.1-rc1", "1.1"
_REASON_LENGTH: Final = 300
_ROWS: Final = {
    "reference": "Aanvraag",
    "version": "Versie",
    "remarks": "Opmerkingen van de klant",
    "why_again": "Waarom opnieuw",
    "environment": "Acceptatieomgeving",
}


@dataclass(frozen=True)
class Reply:
    """An answer: the offer chosen, what is filled in, and what is said of it in the progress."""

    offer: str
    says: str
    facts: dict[str, str] = field(default_factory=dict)
    remark: str = ""
    papers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Story:
    """The request, and what an officer can find out before answering.

    Attributes:
        request: the demo's request in the customer's words.
        today: the local date.
        look: opens an address of the Suite and gives what it shows.
    """

    request: dict[str, str]
    today: date
    look: Callable[[str], str]

    @property
    def reference(self) -> str:
        """The customer's reference."""
        return self.request["reference"]


def read_request() -> dict[str, str]:
    """The demo's request in the customer's words."""
    request: dict[str, str] = json.loads((TEXTS / LANGUAGE / "rfc.json").read_text(encoding="utf-8"))
    return request


def parameters(request: dict[str, str]) -> dict[str, Any]:
    """What an operator fills in to start the street with it."""
    asked = {name: request[name] for name in ("reference", "title", "description")}
    return {"customer": CUSTOMER, "requester": REQUESTER, "kind": "rfc", **asked}


def is_about(page: Page, reference: str) -> bool:
    """Whether a page asks something of this request, and not of another."""
    return page.about.get(_ROWS["reference"], "") == reference


def reply(page: Page, story: Story) -> Reply | None:
    """The answer to a page; nothing when the script does not know the question."""
    known = (answer for pattern, answer in RULES if re.match(pattern, page.title))
    answer = next(known, None)
    return answer(page, story) if answer else None


def _confirm(page: Page, story: Story) -> Reply:
    del page, story
    return Reply("approve", "confirms that the request is theirs")


def _judge(page: Page, story: Story) -> Reply:
    del page, story
    reason = "De indeling in drie codes volgt de planning van deze klant; andere klanten vroegen er niet om."
    return Reply("choose:specific", "judges it specific", remark=reason)


def _quote(page: Page, story: Story) -> Reply:
    del page
    text = (
        f"# Offerte {story.reference}\n\n{story.request['title']}\n\n"
        f"Prijs: € {AMOUNT.replace('.', ',')} exclusief btw, voor analyse, bouw, test en installatie."
    )
    paper = (f"offerte-{story.reference}.pdf", render_pdf(text))
    return Reply("deliver", f"quotes € {AMOUNT}", {"amount": AMOUNT}, papers=(paper,))


def _approve_quote(page: Page, story: Story) -> Reply:
    del page, story
    return Reply("approve", "approves the quote")


def _propose_date(page: Page, story: Story) -> Reply:
    del page
    on = story.today.isoformat()
    return Reply("deliver", f"proposes {on}", {"planned_on": on})


def _agree_date(page: Page, story: Story) -> Reply:
    del page, story
    return Reply("approve", "agrees to the date")


def _analysis(page: Page, story: Story) -> Reply:
    del page, story
    return Reply("deliver", "delivers the requirement analysis", papers=(_paper("behoefteanalyse"),))


def _specification(page: Page, story: Story) -> Reply:
    del story
    version = 1 if page.about.get(_ROWS["remarks"], NONE_BEFORE) == NONE_BEFORE else 2
    paper = _paper(f"functionele-specificatie-{version}")
    return Reply("deliver", f"delivers the functional specification, version {version}", papers=(paper,))


def _approve_analysis(page: Page, story: Story) -> Reply:
    del page, story
    return Reply("approve", "approves the requirement analysis")


def _judge_specification(page: Page, story: Story) -> Reply:
    version = page.about.get(_ROWS["version"], "")
    if version == "1":
        remark = story.request["rejection_of_specification_1"]
        return Reply("request_changes", "asks for changes in the specification", remark=remark)
    return Reply("approve", f"approves the functional specification, version {version}")


def _revision(page: Page, story: Story) -> Reply:
    del story
    why = page.about.get(_ROWS["why_again"], NONE_BEFORE)
    if why.startswith(f"{_MENDED_REVISION}: "):  # naming it again would go on for ever
        raise RevisionRedError(revision=_MENDED_REVISION, reason=why.splitlines()[0][:_REASON_LENGTH])
    revision = _FIRST_REVISION if why == NONE_BEFORE else _MENDED_REVISION
    return Reply("deliver", f"names revision {revision}", {"revision": revision})


def _accept(page: Page, story: Story) -> Reply:
    """Look at the acceptance environment first, and accept what shows the field that was asked for."""
    address = page.about.get(_ROWS["environment"], "")
    if NEW_FIELD in story.look(address):
        return Reply("approve", f"looks at {address} and accepts")
    remark = f"Op de acceptatieomgeving zie ik geen kolom '{NEW_FIELD}'."
    return Reply("request_changes", f"looks at {address} and rejects", remark=remark)


def _close(page: Page, story: Story) -> Reply:
    del page
    described = {"description": story.request["short_description"]}
    papers = (_paper("releasedocumentatie"),)
    return Reply("deliver", "delivers documentation and a description", described, papers=papers)


def _paper(name: str) -> tuple[str, bytes]:
    text = (TEXTS / LANGUAGE / f"{name}.md").read_text(encoding="utf-8")
    return f"{name}.pdf", render_pdf(text)


RULES: Final[tuple[tuple[str, Callable[[Page, Story], Reply]], ...]] = (
    (r"Is deze wijzigingsaanvraag van u\?", _confirm),
    (r"Beoordeel de aanvraag", _judge),
    (r"Maak de offerte", _quote),
    (r"Offerte van ", _approve_quote),
    (r"Stel een datum voor", _propose_date),
    (r"Planning: ", _agree_date),
    (r"Lever: requirementanalyse", _analysis),
    (r"Lever: functionele specificatie", _specification),
    (r"Akkoord met de requirementanalyse\?", _approve_analysis),
    (r"Akkoord met de functionele specificatie\?", _judge_specification),
    (r"Welke revisie is klaar", _revision),
    (r"Accepteert u ", _accept),
    (r"Sluit de aanvraag af", _close),
)
"""How the heading of each question begins, and who knows the answer."""
