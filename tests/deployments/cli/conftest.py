"""The command in this process over real records: what it prints, and how it ends."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from deployments.cli import make_app, run
from flows.rfc_street import PROCESS
from tests.harness.installation import Walker, installed
from tests.harness.street import GIVEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nakoming.records.store import Records

KEY = "rfc/brouwer/2026-014"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed as JSON."""
        assert self.status in {0, 1}, self.err
        return json.loads(self.out)


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    monkeypatch.setattr("getpass.getuser", lambda: "sanne")
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as found:
        yield found


@pytest.fixture
def nakoming(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Run one command; `typed` is what the person at the terminal answers."""
    app = make_app()

    def call(*words: object, typed: str = "") -> Ended:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        capsys.readouterr()
        status = run(app, [str(word) for word in words])
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    return call


@pytest.fixture
def street(records: Records) -> Walker:
    """A request that waits for the analyst's judgement."""
    walker = Walker(records, PROCESS, "brouwer", GIVEN["reference"], dict(GIVEN))
    assert walker.enter() is None
    return walker


def judged(walker: Walker, option: str = "generic") -> None:
    """The analyst says what the request is."""
    walker.answer("judgement/choice", "choose", option=option, remark="Meer klanten vragen dit.")
    walker.enter()


def released(walker: Walker, release: str = "2027.03") -> None:
    """A generic request with its first release."""
    judged(walker)
    walker.deliver("judgement/release", release=release)
    walker.enter()
