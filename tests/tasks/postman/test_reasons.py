"""Why a mail did not go is told without addresses and links."""

from __future__ import annotations

from pydantic import ValidationError

from blocks.mail_server import MailDeferred, MailRefused
from tasks.mail.contexts import Notice
from tasks.postman.reasons import reason_of

JAN = "jan.de-boer+rfc@brouwer.example"


def test_a_servers_sentence_loses_the_address_it_repeats() -> None:
    refused = MailRefused(
        recipient=JAN, code=550, sentence=f"5.1.1 <{JAN}>: no such user, see https://x.example/q/A1"
    )
    assert reason_of(refused) == "550 5.1.1 [address]: no such user, see [link]"
    deferred = MailDeferred(recipient=JAN, reason=f"450 {JAN} is over quota", code=450, in_doubt=False)
    assert reason_of(deferred) == "450 [address] is over quota"


def test_a_damaged_context_is_told_by_its_places_and_not_by_its_values() -> None:
    try:
        Notice.model_validate({"title": 7, "colour": JAN})
    except ValidationError as damaged:
        said = reason_of(damaged)
    assert "title: " in said
    assert "colour: " in said
    assert "jan" not in said


def test_whatever_else_goes_wrong_is_one_short_line() -> None:
    assert reason_of(ValueError(f"no\nsuch {JAN}")) == "ValueError: no such [address]"
    assert len(reason_of(ValueError("x " * 5000))) == 500
