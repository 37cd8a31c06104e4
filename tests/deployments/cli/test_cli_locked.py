"""A command while another process keeps the records locked: one sentence, an exit status, nothing done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nakoming.records.errors import DatabaseLocked
from tests.deployments.cli.conftest import KEY
from tests.harness.held_database import held, impatient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.deployments.cli.conftest import Ended
    from tests.harness.installation import Walker


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return impatient(f"sqlite:///{tmp_path / 'records.sqlite'}")


def test_a_command_on_locked_records_is_one_sentence_and_does_nothing(
    street: Walker, nakoming: Callable[..., Ended]
) -> None:
    records = street.records
    with held(records.url):
        ended = nakoming("case", "withdraw", KEY, "--reason", "Toch niet.")
        listed = nakoming("case", "list")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("The records database stayed locked (database is locked): another process")
    assert ended.err.endswith("[NK2020]\n")
    assert ended.err.count("\n") == 1
    assert (listed.status, KEY in listed.out) == (0, True)  # who only reads goes on
    assert street.case.outcome is None


def test_an_upgrade_of_locked_records_is_one_sentence(street: Walker, nakoming: Callable[..., Ended]) -> None:
    with held(street.records.url):
        ended = nakoming("records", "upgrade")
    assert (ended.status, ended.err.count("\n")) == (1, 1)
    assert "[NK2020]" in ended.err


def test_a_run_on_locked_records_raises_and_entered_again_it_goes_on(street: Walker) -> None:
    street.answer("judgement/choice", "choose", option="specific", remark="Zo werkt deze klant.")
    before = street.step_names()
    with held(street.records.url), pytest.raises(DatabaseLocked):
        street.enter()
    assert street.step_names() == before
    assert street.enter() is None
    assert street.gate("quote/delivery").state == "open"
