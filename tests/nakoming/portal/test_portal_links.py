"""Links: what opens, what does not, and that nobody but a person decides."""

from __future__ import annotations

import itertools
import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from nakoming.records import gates, links, schema
from tests.harness.portal_server import (
    ANNA,
    BEN,
    TEXTS,
    Office,
    Visitor,
    browser,
    evidence_events,
    filled_in,
    hidden,
    serving,
    word_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nakoming.records.gate_model import Gate

    Visit = Callable[..., Visitor]

# What follows does not depend on the database.
ON_ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def everything(at: Office) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    with at.records.read() as tx:
        return {
            table.name: sorted((tuple(row) for row in tx.connection.execute(select(table))), key=repr)
            for table in schema.metadata.sorted_tables
        }


def reissue(at: Office, gate: Gate) -> None:
    with at.records.write() as tx:
        links.reissue(tx, links.of_gate(tx, gate.id)[0])


@ON_ONE_DATABASE
def test_token_leaves_the_address_bar_for_a_cookie_that_scripts_cannot_read(at: Office, base: str) -> None:
    gate = at.ask()
    path = at.path(gate)
    with browser(base) as client:
        swapped = client.get(path, follow_redirects=False)
    cookie = swapped.headers["set-cookie"]
    assert swapped.status_code == 303
    assert re.fullmatch(r"/question/[0-9a-f]{32}", swapped.headers["location"])
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=43200" in cookie
    assert path.removeprefix("/q/") not in swapped.text + str(swapped.headers)


def test_over_https_the_cookie_belongs_to_this_host_alone(on_sqlite: Office) -> None:
    path = on_sqlite.path(on_sqlite.ask())
    with serving(on_sqlite, public_url="https://portal.sps.example") as base, browser(base) as client:
        swapped = client.get(path, follow_redirects=False)
    cookie = swapped.headers["set-cookie"]
    assert cookie.startswith("__Host-nk-")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert swapped.headers["strict-transport-security"].startswith("max-age=63072000")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_methods_change_nothing(at: Office, visit: Visit, method: str) -> None:
    gate = at.ask()
    visitor = visit(gate)
    link_id = visitor.path.rpartition("/")[2]
    paths = [
        at.path(gate, BEN),
        visitor.path,
        f"{visitor.path}?lang=en",
        f"{visitor.path}/retract",
        f"{visitor.path}/documents/{gate.documents[0]}",
        f"/officer/{link_id}",
        f"/officer/{link_id}/{link_id}",
        "/lost",
        "/health",
    ]
    before = everything(at)
    for path in paths:
        visitor.client.request(method, path)
    assert everything(at) == before
    assert at.woken == []


def test_scanner_that_submits_every_form_and_presses_every_button_decides_nothing(
    at: Office, visit: Visit
) -> None:
    gate = at.ask()
    scanner = visit(gate)
    before = everything(at)
    verbs = re.findall(r'name="answer" value="([^"]+)"', scanner.page)
    words = ["", "test", "approve", "1", scanner.page[:200], "Typ ter bevestiging"]
    assert verbs == ["approve", "request_changes", "refuse"]
    for verb, word in itertools.product(verbs, words):
        filled = hidden(scanner.page) | {"answer": verb, "word": word, "remark": "x"}
        assert scanner.client.post(scanner.path, data=filled).status_code == 400
        assert scanner.client.post(f"{scanner.path}/retract", data=filled).status_code == 400
    assert everything(at) == before
    assert at.woken == []


@ON_ONE_DATABASE
def test_scanner_cannot_take_an_answer_back(at: Office, visit: Visit) -> None:
    gate = at.ask()
    visitor = visit(gate)
    receipt = visitor.send()
    pressed = visitor.client.post(f"{visitor.path}/retract", data=hidden(receipt.text) | {"word": ""})
    assert pressed.status_code == 400
    assert at.gate(gate.id).state == "fulfilled"


def dead_paths(at: Office) -> dict[str, str]:
    """A path for each way in which a link can be dead."""
    revoked, superseded, expired = at.ask(), at.ask(contacts=(ANNA,)), at.ask()
    paths = {
        "revoked": at.path(revoked),
        "superseded": at.path(superseded),
        "expired": at.path(expired),
        "unknown": "/q/" + links.token(at.records.keys, secrets.token_hex(16), 1),
        "forged": at.path(at.ask())[:-6] + "AAAA==",
        "malformed": "/q/x",
        "not ascii": "/q/%C3%A9%C3%A9",
        "no question": f"/question/{secrets.token_hex(16)}",
        "no path": "/nothing/here",
    }
    with at.records.write() as tx:
        gates.revoke(tx, revoked.id, "withdrawn")
        c = schema.gates.c
        closed = {
            "state": "fulfilled",
            "verb": "approve",
            "closed_at": tx.now - timedelta(days=30, seconds=1),
        }
        tx.connection.execute(update(schema.gates).where(c.id == expired.id).values(closed))
    reissue(at, superseded)
    return paths


def test_whatever_is_wrong_with_a_link_the_answer_is_the_same_to_the_byte(at: Office, base: str) -> None:
    answers = {}
    for name, path in dead_paths(at).items():
        with browser(base) as client:
            response = client.get(path)
            headers = {k: v for k, v in response.headers.items() if k != "date"}
            answers[name] = (response.status_code, headers, response.content)
    assert {status for status, _, _ in answers.values()} == {404}
    assert all(answer == answers["unknown"] for answer in answers.values())


def test_question_can_be_read_for_thirty_days_after_it_closed(at: Office, visit: Visit, base: str) -> None:
    gate = at.ask()
    visitor = visit(gate)
    assert visitor.send().status_code == 200
    at.move(timedelta(days=29, hours=23))
    assert Visitor(base, at.path(gate)).first.status_code == 200
    at.move(timedelta(hours=2))
    assert Visitor(base, at.path(gate)).first.status_code == 404


@ON_ONE_DATABASE
def test_pass_ends_after_twelve_hours_and_the_link_makes_a_new_one(
    at: Office, visit: Visit, base: str
) -> None:
    gate = at.ask()
    visitor = visit(gate)
    at.move(timedelta(hours=12, seconds=2))
    assert visitor.look().status_code == 404
    assert visitor.client.post(visitor.path, data={"answer": "approve"}).status_code == 404
    assert Visitor(base, at.path(gate)).first.status_code == 200


@ON_ONE_DATABASE
def test_link_followed_again_shows_the_receipt(at: Office, visit: Visit, base: str) -> None:
    gate = at.ask()
    visitor = visit(gate)
    visitor.send()
    assert "Uw antwoord is vastgelegd" in Visitor(base, at.path(gate)).page


def test_another_persons_link_opens_nothing_of_mine(at: Office, visit: Visit) -> None:
    gate = at.ask()
    anna, ben = visit(gate, ANNA), visit(gate, BEN)
    assert ben.client.get(anna.path).status_code == 404
    stolen = filled_in(anna.page) | {"word": word_of(anna.page)}
    assert ben.client.post(anna.path, data=stolen).status_code == 404
    assert ben.client.post(ben.path, data=stolen).status_code == 403
    renamed = ben.client.cookies.get(f"nk-{ben.path.rpartition('/')[2]}")
    ben.client.cookies.set(f"nk-{anna.path.rpartition('/')[2]}", str(renamed), domain="127.0.0.1")
    assert ben.client.get(anna.path).status_code == 404
    assert "gate:question:answered" not in evidence_events(at)


def test_superseded_link_is_dead_while_a_form_of_it_is_still_open(at: Office, visit: Visit) -> None:
    gate = at.ask(contacts=(ANNA,))
    visitor = visit(gate)
    reissue(at, gate)
    assert visitor.send().status_code == 404
    assert at.gate(gate.id).state == "open"


@ON_ONE_DATABASE
def test_document_of_another_question_is_not_handed_out(at: Office, visit: Visit) -> None:
    mine, other = at.ask(), at.ask(document=b"%PDF-1.7 another\n")
    visitor = visit(mine)
    assert visitor.client.get(f"{visitor.path}/documents/{other.documents[0]}").status_code == 404


@ON_ONE_DATABASE
def test_document_comes_as_an_attachment_of_its_own_type(at: Office, visit: Visit) -> None:
    gate = at.ask()
    visitor = visit(gate)
    got = visitor.client.get(f"{visitor.path}/documents/{gate.documents[0]}")
    assert got.headers["content-type"] == "application/pdf"
    assert got.headers["content-disposition"].startswith('attachment; filename="Functioneel ontwerp')
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.content.startswith(b"%PDF-1.7")


@ON_ONE_DATABASE
def test_other_language_is_reached_from_a_form_that_came_back(at: Office, visit: Visit) -> None:
    anna = visit(at.ask())
    receipt = anna.send()
    refused = anna.client.post(f"{anna.path}/retract", data=hidden(receipt.text) | {"word": "x"})
    other = re.search(r'class="language" href="([^"]+)"', refused.text)
    assert other
    assert 'lang="en"' in anna.client.get(other[1]).text
    assert "q/" not in re.findall(r'class="language" href="([^"]*)"', anna.client.get("/q/abc").text)[0]


@ON_ONE_DATABASE
def test_language_is_the_persons_own_until_another_is_asked_for(at: Office, visit: Visit) -> None:
    gate = at.ask()
    ben = visit(gate, BEN)
    assert TEXTS["en"]["title"] in ben.page
    assert TEXTS["nl"]["title"] in ben.look(lang="nl").text
    assert 'lang="nl"' in ben.look().text
