"""From the arrival of an officer's POST to the committed intent of the flow's next step, stage by stage."""

from __future__ import annotations

import asyncio
import html
import re
import time
from typing import TYPE_CHECKING, Any

import httpx

from bench import cases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect.client.orchestration import PrefectClient

    from bench.rig import Rig

STAGES = (
    "committed",
    "resume asked",
    "resume answered",
    "event",
    "polled",
    "claimed",
    "forked",
    "first line",
    "entered",
    "answer taken",
    "intent",
    "effect",
)
THINKING_SECONDS = 0.5  # a person's decision does not come within milliseconds of the question
_LIMIT_SECONDS = 60.0
_INPUT = re.compile(r"<input\b[^>]*>")
_WORD = re.compile(r'<b translate="no">(\w+)</b>')


async def wakes(
    rig: Rig, client: PrefectClient, deployment: Any, subjects: list[str]
) -> list[dict[str, float]]:
    """Start these cases, answer their questions one by one; the seconds from the POST to each stage."""
    runs = await cases.start(client, deployment, subjects)
    found = []
    with httpx.Client(base_url=rig.system.portal_url, follow_redirects=True, trust_env=False) as browser:
        for subject, run_id in zip(subjects, runs, strict=True):
            await asyncio.sleep(THINKING_SECONDS)
            found.append(await _woken(rig, browser, subject))
            await cases.until_state(client, run_id, "Completed")
    return found


async def _woken(rig: Rig, browser: httpx.Client, subject: str) -> dict[str, float]:
    page = await asyncio.to_thread(browser.get, cases.link_path(rig, subject))
    rig.stamps.forget()
    form = filled_in(page.text)
    answer = await asyncio.to_thread(browser.post, str(page.url), data=form)
    assert answer.status_code == httpx.codes.OK, f"the portal answered {answer.status_code}"
    patience = time.monotonic() + _LIMIT_SECONDS
    while "effect" not in (noted := rig.stamps.read()):
        assert time.monotonic() < patience, f"{subject} was not woken: {noted}"
        await asyncio.sleep(0.005)
    return {stage: noted[stage] - noted["POST"] for stage in STAGES if stage in noted}


def filled_in(page: str) -> dict[str, str]:
    """The form of a question's page, as a person fills it in who approves."""
    word = _WORD.search(page)
    assert word is not None, "the page shows no word to type"
    hidden = {name: value for kind, name, value in _inputs(page) if kind == "hidden"}
    return hidden | {"answer": "approve", "word": word[1]}


def _inputs(page: str) -> Iterator[tuple[str, str, str]]:
    for tag in _INPUT.findall(page):
        found = {name: html.unescape(value) for name, value in re.findall(r'(\w+)="([^"]*)"', tag)}
        yield found.get("type", ""), found.get("name", ""), found.get("value", "")
