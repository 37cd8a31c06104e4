"""Beside the question: the list of an officer, lost links, limits, headers, languages, logs."""

from __future__ import annotations

import logging
import logging.config
import re
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from nakoming.agreement import in_words
from nakoming.agreement.gate_rules import Kind
from nakoming.portal import limits, texts
from nakoming.portal.app import create_app, is_secure
from nakoming.portal.errors import ProxyRefused, PublicAddressRefused
from nakoming.portal.limits import Buckets, Limits, Rate
from nakoming.portal.serving import HideTokens, log_config
from nakoming.portal.word_list import WORDS
from nakoming.records import links, outbox
from nakoming.records.gate_model import Contact
from tests.harness.portal_server import (
    ANNA,
    BEN,
    GENEROUS,
    Office,
    Visitor,
    browser,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Visit = Callable[..., Visitor]


@pytest.fixture
def base(on_sqlite: Office) -> Iterator[str]:
    with serving(on_sqlite) as address:
        yield address


def listed(page: str) -> list[str]:
    return re.findall(r'href="(/officer/\w{32}/\w{32})"', page)


def test_officer_reaches_every_open_question_of_their_own_and_no_other(on_sqlite: Office, base: str) -> None:
    first, second = on_sqlite.ask(), on_sqlite.ask()
    bens = on_sqlite.ask(contacts=(BEN,))
    anna = Visitor(base, on_sqlite.path(first))
    link_id = anna.path.rpartition("/")[2]
    page = anna.client.get(f"/officer/{link_id}").text
    assert len(listed(page)) == 2
    answered = {anna.client.get(path).url.path for path in listed(page)}
    assert anna.path in answered
    other = next(path for path in answered if path != anna.path)
    anna.path, anna.page = other, anna.client.get(other).text
    assert anna.send().status_code == 200
    assert on_sqlite.gate(second.id).state == "fulfilled"
    with on_sqlite.records.read() as tx:
        foreign = links.of_gate(tx, bens.id)[0].id
    assert anna.client.get(f"/officer/{link_id}/{foreign}").status_code == 404


def test_discharge_is_entered_by_its_own_link_only(on_sqlite: Office, base: str) -> None:
    first, discharge = on_sqlite.ask(), on_sqlite.ask(kind=Kind.DISCHARGE)
    anna = Visitor(base, on_sqlite.path(first))
    link_id = anna.path.rpartition("/")[2]
    page = anna.client.get(f"/officer/{link_id}").text
    assert len(listed(page)) == 1
    assert "Open deze vraag met de link in uw e-mail." in page
    with on_sqlite.records.read() as tx:
        other = next(each for each in links.of_gate(tx, discharge.id) if each.contact.person == ANNA.person)
    assert anna.client.get(f"/officer/{link_id}/{other.id}").status_code == 404


def test_pass_from_the_list_ends_with_the_pass_it_came_from(on_sqlite: Office, base: str) -> None:
    first, _ = on_sqlite.ask(), on_sqlite.ask()
    anna = Visitor(base, on_sqlite.path(first))
    link_id = anna.path.rpartition("/")[2]
    on_sqlite.move(timedelta(hours=11))
    onward = listed(anna.client.get(f"/officer/{link_id}").text)
    reached = [anna.client.get(path).url.path for path in onward]
    assert {anna.client.get(path).status_code for path in reached} == {200}
    on_sqlite.move(timedelta(hours=1, seconds=5))
    assert {anna.client.get(path).status_code for path in reached} == {404}


def reissued(at: Office, gate_id: str) -> int:
    with at.records.read() as tx:
        return sum(mail.kind == "link_reissued" for mail in outbox.of_gate(tx, gate_id))


def test_lost_link_is_sent_again_and_the_old_one_is_dead(on_sqlite: Office, base: str) -> None:
    gate = on_sqlite.ask()
    old = on_sqlite.path(gate)
    with browser(base) as client:
        client.post("/lost", data={"email": " Anna@ACME.example "})
        await_reissue(on_sqlite, gate.id)
        assert client.get(old).status_code == 404
        assert client.get(on_sqlite.path(gate)).status_code == 200


def await_reissue(at: Office, gate_id: str) -> None:
    give_up = time.monotonic() + 10
    while not reissued(at, gate_id):
        assert time.monotonic() < give_up
        time.sleep(0.01)  # until the mail is in the outbox


def test_nobody_learns_from_the_lost_page_which_addresses_are_known(on_sqlite: Office, base: str) -> None:
    gates = [on_sqlite.ask() for _ in range(8)]
    took: dict[str, list[float]] = {"anna@acme.example": [], "nobody@acme.example": []}
    said = set()
    with browser(base) as client:
        for address in list(took) * 12:
            began = time.perf_counter()
            response = client.post("/lost", data={"email": address})
            took[address].append(time.perf_counter() - began)
            said.add((response.status_code, response.text))
    assert len(said) == 1
    await_reissue(on_sqlite, gates[0].id)
    known, unknown = (statistics.median(times) for times in took.values())
    assert abs(known - unknown) < 0.02  # seconds; eight links take far longer to reissue than this


def test_mailbox_is_not_filled_by_somebody_who_asks_again_and_again(on_sqlite: Office) -> None:
    gate = on_sqlite.ask()
    strict = Limits(lost_by_mailbox=Rate(1, 0.001), lost_by_address=Rate(100, 10), address=GENEROUS.address)
    with serving(on_sqlite, limits=strict) as base, browser(base) as client:
        answers = {client.post("/lost", data={"email": ANNA.email}).text for _ in range(5)}
        await_reissue(on_sqlite, gate.id)
    assert len(answers) == 1
    assert reissued(on_sqlite, gate.id) == 1


def test_address_that_is_none_is_said_so(base: str) -> None:
    with browser(base) as client:
        refused = client.post("/lost", data={"email": "anna"})
    assert refused.status_code == 422
    assert 'value="anna"' in refused.text


def test_too_many_requests_of_one_address_are_told_when_to_come_back(on_sqlite: Office) -> None:
    path = on_sqlite.path(on_sqlite.ask())
    with serving(on_sqlite, limits=Limits(address=Rate(3, 0.1))) as base, browser(base) as client:
        statuses = [client.get(path, follow_redirects=False).status_code for _ in range(4)]
        refused = client.get(path)
        assert client.get("/health").status_code == 200
    assert statuses == [303, 303, 303, 429]
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert "seconden" in refused.text or "seconds" in refused.text


def test_customer_is_limited_too(on_sqlite: Office) -> None:
    gate = on_sqlite.ask()
    strict = Limits(address=GENEROUS.address, customer=Rate(2, 0.01))
    with serving(on_sqlite, limits=strict) as base:
        anna, ben = Visitor(base, on_sqlite.path(gate)), Visitor(base, on_sqlite.path(gate, BEN))
        statuses = [anna.send(word="x").status_code, ben.send(word="x").status_code, ben.send().status_code]
    assert statuses == [400, 400, 429]


def test_only_a_trusted_proxy_is_believed_about_who_came_before_it(on_sqlite: Office) -> None:
    path = on_sqlite.path(on_sqlite.ask())
    strict = Limits(address=Rate(1, 0.001))
    for trusted, expected in (((), [303, 429, 429]), (("127.0.0.0/8",), [303, 303, 429])):
        with (
            serving(on_sqlite, limits=strict, trusted_proxies=trusted) as base,
            browser(base) as client,
        ):
            got = [
                client.get(path, follow_redirects=False, headers={"X-Forwarded-For": said}).status_code
                for said in ("203.0.113.7", "203.0.113.8", "203.0.113.99, 203.0.113.8")
            ]
        assert got == expected


def test_bucket_fills_again_with_time() -> None:
    now = [0.0]
    bucket = Buckets(Rate(2, 0.5), clock=lambda: now[0])
    assert [bucket.wait("a"), bucket.wait("a"), bucket.wait("a"), bucket.wait("b")] == [0, 0, 2, 0]
    now[0] = 2.0
    assert bucket.wait("a") == 0


def test_visitors_of_one_ipv6_house_share_a_bucket() -> None:
    assert limits.bucket_key("2001:db8:1:2:3::4") == limits.bucket_key("2001:db8:1:2:ffff::1")
    assert limits.bucket_key("203.0.113.7") == "203.0.113.7"


def test_every_answer_carries_the_strict_headers(on_sqlite: Office, base: str) -> None:
    anna = Visitor(base, on_sqlite.path(on_sqlite.ask()))
    sheet = re.search(r'href="(/static/[^"]+\.css)"', anna.page)
    assert sheet
    for path in (anna.path, "/lost", "/q/x", "/health", sheet[1], "/favicon.ico"):
        headers = anna.client.get(path).headers
        policy = headers["content-security-policy"]
        assert policy == (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "camera=()" in headers["permissions-policy"]
        assert headers["cache-control"] == (
            "no-store" if "css" not in path else "public, max-age=31536000, immutable"
        )
        assert "server" not in headers
        assert "strict-transport-security" not in headers  # loopback, plain http


def test_pages_bring_nothing_from_elsewhere(on_sqlite: Office, base: str) -> None:
    page = Visitor(base, on_sqlite.path(on_sqlite.ask())).page
    assert re.findall(r'(?:src|href|action)="((?:https?:)?//[^"]+)"', page) == []
    assert "<script" not in page
    assert " style=" not in page


def test_health_says_when_the_records_are_gone(on_sqlite: Office, base: str) -> None:
    with browser(base) as client:
        assert client.get("/health").json() == {"status": "ok", "records": "reachable"}
        with on_sqlite.records.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE chains RENAME TO away")
        gone = client.get("/health")
    assert (gone.status_code, gone.json()["status"]) == (503, "down")


def test_no_token_cookie_or_address_stands_in_any_log(
    on_sqlite: Office, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gate = on_sqlite.ask()
    path = on_sqlite.path(gate)
    with serving(on_sqlite) as base:
        anna = Visitor(base, path)
        anna.send()
        anna.client.get("/q/" + "A" * 54 + "==")
        anna.client.post("/lost", data={"email": ANNA.email})
        with on_sqlite.records.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE links RENAME TO away")
        anna.client.get(path)
        anna.client.cookies.clear()
    captured = capfd.readouterr()
    ours = [
        record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    ]
    logged = captured.out + captured.err + "\n".join(ours)
    assert "The records cannot be reached" in logged  # it does log
    token = path.removeprefix("/q/")
    for secret in (token, token.rstrip("="), token[:30], "A" * 54, ANNA.email):
        assert secret not in logged


def test_filter_hides_what_others_would_log(capsys: pytest.CaptureFixture[str], on_sqlite: Office) -> None:
    path = on_sqlite.path(on_sqlite.ask())
    record = logging.LogRecord("x", logging.INFO, "f", 1, 'GET "%s" nk-%s=abc.def; b', (path, "0" * 32), None)
    assert HideTokens().filter(record)
    assert record.getMessage() == 'GET "[hidden]" nk-[hidden]; b'
    logging.config.dictConfig(log_config())
    logging.getLogger("nakoming.portal").error("failed", exc_info=ValueError(path))
    err = capsys.readouterr().err
    assert "failed" in err
    assert path[3:] not in err


def test_fault_of_ours_is_a_page_with_a_number_that_the_log_has_too(
    on_sqlite: Office, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret" + " detail")

    with serving(on_sqlite) as base:
        anna = Visitor(base, on_sqlite.path(on_sqlite.ask()))
        monkeypatch.setattr("nakoming.portal.portal.load", broken)
        failed = anna.look()
    number = re.search(r"\b[0-9a-f]{8}\b", failed.text.partition("<main")[2])
    assert failed.status_code == 500
    assert failed.headers["referrer-policy"] == "no-referrer"
    assert number
    logged = capfd.readouterr().err
    assert number[0] in logged
    assert "secret detail" not in logged + failed.text


def test_both_languages_have_the_same_sentences_with_the_same_gaps() -> None:
    texts.check()
    dutch, english = texts.sentences("nl"), texts.sentences("en")
    gaps = {key: set(re.findall(r"{(\w+)}", text)) for key, text in dutch.items()}
    assert gaps == {key: set(re.findall(r"{(\w+)}", text)) for key, text in english.items()}


def test_words_to_type_are_plain_and_many() -> None:
    for words in WORDS.values():
        assert len(set(words)) == len(words) >= 48
        assert all(re.fullmatch("[a-z]{3,8}", word) for word in words)


@pytest.mark.parametrize(
    ("at", "dutch", "english"),
    [
        # a Friday that ends at midnight
        (datetime(2026, 12, 11, 23, 0, tzinfo=UTC), "vrijdag 11 december 2026, 24:00 uur (Nederlandse tijd)",
         "Friday 11 December 2026, 24:00 (Dutch time)"),
        # a Wednesday in summer
        (datetime(2026, 7, 1, 15, 0, tzinfo=UTC), "woensdag 1 juli 2026 om 17:00 uur (Nederlandse tijd)",
         "Wednesday 1 July 2026 at 17:00 (Dutch time)"),
        # the Sunday on which 02:30 comes twice
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
         "zondag 25 oktober 2026 om 02:30 uur (Nederlandse tijd, zomertijd)",
         "Sunday 25 October 2026 at 02:30 (Dutch time, summer time)"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
         "zondag 25 oktober 2026 om 02:30 uur (Nederlandse tijd, wintertijd)",
         "Sunday 25 October 2026 at 02:30 (Dutch time, winter time)"),
    ],
)  # fmt: skip
def test_deadline_in_words(at: datetime, dutch: str, english: str) -> None:
    assert in_words.deadline_in_words(at, "nl") == dutch
    assert in_words.deadline_in_words(at, "en") == english


def test_days_left_count_to_the_last_day_on_which_to_answer() -> None:
    friday_midnight = datetime(2026, 12, 11, 23, 0, tzinfo=UTC)
    assert in_words.days_left(friday_midnight, friday_midnight - timedelta(hours=1)) == 0
    assert in_words.days_left(friday_midnight, friday_midnight - timedelta(hours=25)) == 1
    assert in_words.days_left(friday_midnight, friday_midnight) == 0
    assert in_words.days_left(friday_midnight, friday_midnight + timedelta(microseconds=1)) == -1


def test_public_address_is_https_or_loopback(on_sqlite: Office) -> None:
    assert is_secure("https://portal.sps.example")
    assert not is_secure("http://127.0.0.1:8460")
    assert not is_secure("http://[::1]:8460")
    for url in ("http://portal.sps.example", "ftp://127.0.0.1", "portal", "https://"):
        with pytest.raises(PublicAddressRefused, match="not usable"):
            is_secure(url)
    with pytest.raises(ProxyRefused, match="'everyone' is no trusted proxy"):
        create_app(
            on_sqlite.records, wake=print, public_url="https://x.example", trusted_proxies=["everyone"]
        )


def test_contact_whose_language_is_not_ours_reads_one_of_ours(on_sqlite: Office, base: str) -> None:
    carl = Contact(person="acme:carl", name="Carl", email="carl@acme.example", language="de", role="owner")
    page = Visitor(base, on_sqlite.path(on_sqlite.ask(contacts=(carl,)), carl)).page
    assert 'lang="nl"' in page
