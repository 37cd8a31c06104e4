"""Bad days of the post: refusals, bounces, silence, dead senders, two postmen; nothing is lost or doubled."""

from __future__ import annotations

import email
import json
import logging
import signal
import threading
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from blocks.mail_server import MailServer
from demo.mailbox.server import MailboxSettings, running
from nakoming.records import links, outbox, resource_leases, schema
from nakoming.records.outbox import BACK_OFF, MailState
from tasks.postman import Delivered, NoticesRead, read_notices
from tests.harness.processes import free_port
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    import pytest

    from .conftest import Child, PostOffice

KILLED = -signal.SIGKILL
TO = "jan@brouwer.example"
PERSON = "brouwer:joost-smit"

CUT_AFTER_250 = """
send = MailServer.send
def cut(*given):
    send(*given)
    die()
MailServer.send = cut
deliver_due(records, MailServer(**settings), portal_url=portal, owner=this_process())
"""
CUT_BEFORE_SENDING = """
MailServer.send = lambda *given: die()
deliver_due(records, MailServer(**settings), portal_url=portal, owner=this_process())
"""
CUT_BEFORE_DONE = """
Mailbox.done = lambda *given: die()
read_notices(records, Mailbox(maildir=Path(notices)))
"""
POSTMAN = """
import threading
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
run_postman(
    lambda: records, MailServer(**settings), Mailbox(maildir=Path(notices)), portal_url=portal, stop=stop,
    poll=0.05,
)
"""


def killed(child: Child) -> None:
    """The process was cut where it should be."""
    assert child.ended() == KILLED, child.said()
    assert f"cut {child.pid}" in child.said()


def message_ids(office: PostOffice, address: str) -> list[str]:
    return [str(message["Message-ID"]) for message in office.inbox(address)]


def operators_told(office: PostOffice) -> list[str]:
    office.deliver()
    return [str(message.get_body(("plain",))) for message in office.inbox("operators@sps.example")]


def test_a_delivery_notice_raises_the_grade_once(office: PostOffice) -> None:
    mail_id = office.notice("n/1", TO)
    assert office.deliver() == Delivered(relayed=1)
    assert office.mail(mail_id).state is MailState.RELAYED
    (notice,) = (office.mailbox.store.bounces / "new").iterdir()
    raw = notice.read_bytes()
    assert office.read() == NoticesRead(accepted=1)
    assert office.mail(mail_id).state is MailState.ACCEPTED
    office.mailbox.store.notify(raw)  # a server may tell it twice
    assert office.read() == NoticesRead(known=1)
    assert len(office.events("mail:message:accepted")) == 1


def test_the_recipients_own_server_accepts_at_once(office: PostOffice) -> None:
    mail_id = office.notice("n/1", TO)
    own = office.server.model_copy(update={"takes_for_customer": True})
    from tasks.postman import deliver_due

    done = deliver_due(office.records, own, portal_url="https://portal.sps.example", owner="a/b/1/1")
    assert done == Delivered(accepted=1)
    assert office.mail(mail_id).state is MailState.ACCEPTED


def test_a_notice_for_somebody_else_proves_nothing(office: PostOffice) -> None:
    mail_id = office.notice("n/1", TO)
    office.deliver()
    (notice,) = (office.mailbox.store.bounces / "new").iterdir()
    notice.write_bytes(notice.read_bytes().replace(TO.encode(), b"piet@brouwer.example"))
    assert office.read() == NoticesRead(unknown=1)
    assert office.mail(mail_id).state is MailState.RELAYED
    assert office.read() == NoticesRead(), "it was put aside"


def test_a_notice_about_no_mail_of_ours_and_a_persons_mail_are_put_aside(office: PostOffice) -> None:
    office.notice("n/1", TO)
    office.deliver()
    (notice,) = (office.mailbox.store.bounces / "new").iterdir()
    raw = notice.read_bytes()
    ours = str(email.message_from_bytes(office.raw(TO)[0])["Message-ID"]).strip("<>")
    notice.write_bytes(raw.replace(ours.encode(), b"0" * 32 + b"@nakoming.invalid"))
    office.mailbox.store.notify(b"From: jan@brouwer.example\r\nSubject: Vraag\r\n\r\nWat betekent dit?\r\n")
    assert office.read() == NoticesRead(unknown=1, other=1)
    kept = [path.read_bytes() for path in (office.mailbox.store.bounces / "cur").iterdir()]
    assert sum(b"Wat betekent dit?" in each for each in kept) == 1, "people can still read it"


def test_a_mail_that_comes_back_later_is_shown_and_told(office: PostOffice) -> None:
    gate = office.ask()
    with office.records.write() as tx:
        link = next(each for each in links.of_gate(tx, gate.id) if each.contact.person == PERSON)
    mail_id = office.put(
        "reminder", "r/1", "bounced-joost@brouwer.example", case_id=gate.case_id, gate_id=gate.id,
        link_id=link.id, generation=1, context={"number": 1},
    )  # fmt: skip
    assert office.deliver().relayed == 3
    wait_for(lambda: office.read().bounced == 1)
    with office.records.read() as tx:
        shown = {mail.id: mail for mail in outbox.of_gate(tx, gate.id)}[mail_id]
    assert (shown.state, shown.last_error) == (
        MailState.BOUNCED, "5.1.1 550 5.1.1 No such mailbox",
    )  # fmt: skip
    (told,) = operators_told(office)
    assert "Joost Smit" in told
    assert "5.1.1" in told


def test_a_refusal_for_good_is_shown_on_the_gate_and_told_once(office: PostOffice) -> None:
    (office.settings.root / "behaviour.json").write_text(
        json.dumps({"refused": ["joost.smit@brouwer-plaatwerk.example"]}), encoding="utf-8"
    )
    gate = office.ask()
    assert office.deliver() == Delivered(relayed=2, refused=1), "the other officer, and the operators"
    with office.records.read() as tx:
        states = {mail.recipient.person: mail for mail in outbox.of_gate(tx, gate.id)}
    assert states[PERSON].state is MailState.REFUSED
    assert states[PERSON].last_error == "550 5.1.1 No such mailbox here"
    assert len(operators_told(office)) == 1
    office.move(timedelta(days=1))
    assert office.deliver().count == 0, "it is not tried again"


def test_a_refused_mail_to_the_operators_is_not_mailed_to_them(office: PostOffice) -> None:
    (office.settings.root / "behaviour.json").write_text('{"refused": ["operators@sps.example"]}', "utf-8")
    office.notice("n/1", "refused-jan@brouwer.example")
    assert office.deliver() == Delivered(refused=2)
    assert office.deliver().count == 0


def test_a_busy_server_is_tried_again_after_each_pause(office: PostOffice) -> None:
    mail_id = office.notice("n/1", "busy-2-jan@brouwer.example")
    for pause in BACK_OFF[:2]:
        assert office.deliver() == Delivered(deferred=1)
        assert office.mail(mail_id).last_error == "451 4.3.2 Busy, try again later"
        assert office.deliver().count == 0, "not before the pause is over"
        office.move(pause + timedelta(seconds=1))
    assert office.deliver() == Delivered(relayed=1)
    assert len(office.raw("busy-2-jan@brouwer.example")) == 1


def test_a_server_that_is_down_costs_one_attempt_and_loses_nothing(office: PostOffice) -> None:
    ids = [office.notice(f"n/{number}", TO) for number in range(3)]
    down = MailServer(host="127.0.0.1", port=free_port(), tls="none", sender="post@sps.example")
    from tasks.postman import deliver_due

    done = deliver_due(office.records, down, portal_url="https://portal.sps.example", owner="a/b/1/1")
    assert done == Delivered(deferred=1, unreachable=1)
    assert [office.mail(each).attempts for each in ids] == [1, 0, 0]
    office.move(BACK_OFF[0] + timedelta(seconds=1))
    assert office.deliver() == Delivered(relayed=3)
    assert len(office.raw(TO)) == 3


def test_a_mail_that_cannot_be_made_does_not_stop_the_others(office: PostOffice) -> None:
    bad = office.put("notice", "bad/1", TO, context={"title": TO, "colour": "red"})
    unknown = office.put("poem", "bad/2", TO, context={})
    orphan = office.put("receipt", "bad/3", TO, context={"answer": "0" * 32})
    office.notice("n/1", TO)
    done = office.deliver()
    assert (done.refused, done.relayed) == (3, 4)
    for each in (bad, unknown, orphan):
        assert office.mail(each).state is MailState.REFUSED
        assert TO not in str(office.mail(each).last_error)
    assert len(operators_told(office)) == 3


def test_a_mail_whose_key_is_gone_does_not_stop_the_others(office: PostOffice) -> None:
    lost = office.notice("n/1", TO, customer="kestrel")
    kept = office.notice("n/2", TO)
    office.records.keys.destroy("kestrel")
    assert office.deliver().relayed == 1
    assert office.mail(kept).state is MailState.RELAYED
    with office.records.read() as tx:
        row = tx.connection.execute(schema.outbox.select().where(schema.outbox.c.id == lost)).one()
        assert outbox.waiting(tx) == 0
    assert row.state == MailState.REFUSED
    assert "kestrel.1 was destroyed" in row.last_error


def test_killed_between_the_250_and_the_commit_the_mail_may_double_and_is_counted(office: PostOffice) -> None:
    mail_id = office.notice("n/1", TO)
    killed(office.start(CUT_AFTER_250))
    assert office.mail(mail_id).state is MailState.SENDING
    assert office.deliver() == Delivered(relayed=1, repeated=1), "taken over at once: its sender is dead"
    first, second = office.raw(TO)
    assert first == second, "the same Message-ID, and the same bytes"
    assert office.deliver().count == 0
    assert office.read() == NoticesRead(accepted=1, known=1)
    assert len(office.events("mail:message:relayed")) == 1


def test_a_notice_read_first_spares_the_repeat(office: PostOffice) -> None:
    mail_id = office.notice("n/1", TO)
    killed(office.start(CUT_AFTER_250))
    assert office.read() == NoticesRead(accepted=1)
    assert office.deliver().count == 0
    assert office.mail(mail_id).state is MailState.ACCEPTED
    assert len(office.raw(TO)) == 1


def test_killed_before_sending_the_mail_goes_once(office: PostOffice) -> None:
    office.notice("n/1", TO)
    killed(office.start(CUT_BEFORE_SENDING))
    assert office.raw(TO) == []
    assert office.deliver().relayed == 1
    assert len(office.raw(TO)) == 1


def test_killed_before_a_notice_is_done_it_counts_once(office: PostOffice) -> None:
    office.notice("n/1", TO)
    office.notice("n/2", "bounced-jan@brouwer.example")
    office.deliver()
    wait_for(lambda: len(list((office.mailbox.store.bounces / "new").iterdir())) == 2)
    killed(office.start(CUT_BEFORE_DONE))
    again = office.read()
    assert (again.known, again.accepted + again.bounced) == (1, 1)
    assert len(office.events("mail:message:accepted")) == 1
    assert len(office.events("mail:message:bounced")) == 1
    assert len(operators_told(office)) == 1


def test_two_senders_at_once_never_double(office: PostOffice) -> None:
    for number in range(24):
        office.notice(f"n/{number}", TO)
    done: list[Delivered] = []
    threads = [
        threading.Thread(target=lambda name=name: done.append(office.deliver(owner=f"host/boot.1/{name}/1")))
        for name in (1, 2, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each.relayed for each in done) == 24
    assert sum(each.count > 0 for each in done) > 1, "they did work at the same time"
    assert set(Counter(message_ids(office, TO)).values()) == {1}
    assert len(office.raw(TO)) == 24


def test_a_second_postman_takes_over_from_one_that_was_killed(office: PostOffice) -> None:
    first = office.start(POSTMAN)
    for number in range(20):
        office.notice(f"n/{number}", TO)
    wait_for(lambda: len(office.raw(TO)) > 2)
    with office.records.read() as tx:
        holder = resource_leases.holder(tx, "postman")
    assert holder is not None
    assert f"/{first.pid}/" in holder.owner
    first.process.kill()
    assert first.ended() == KILLED
    second = office.start(POSTMAN)
    wait_for(lambda: all(mail.state is MailState.ACCEPTED for mail in office.mails()))
    second.process.terminate()
    assert second.ended() == 0, second.said()
    with office.records.read() as tx:
        let_go = tx.connection.execute(schema.resource_leases.select()).one()
    assert let_go.owner is None, "it lets go in order"
    times = Counter(message_ids(office, TO))
    assert len(times) == 20
    assert sum(times.values()) - 20 <= 1, "only the mail in the one window may double"


def test_one_postman_at_a_time_and_each_mail_once(office: PostOffice) -> None:
    postmen = [office.start(POSTMAN) for _ in range(2)]
    gate = office.ask()
    for number in range(10):
        office.notice(f"n/{number}", TO)
    wait_for(lambda: all(mail.state is MailState.ACCEPTED for mail in office.mails()))
    for postman in postmen:
        postman.process.terminate()
    assert [postman.ended() for postman in postmen] == [0, 0]
    assert len(office.raw(TO)) == 10
    said = [postman.said() for postman in postmen]
    assert sum("relayed" in words for words in said) == 1, "the other one waited for its turn"
    with office.records.read() as tx:
        tokens = [links.token(office.records.keys, each.id, 1) for each in links.of_gate(tx, gate.id)]
    for words in said:
        assert not any(token[:20] in words for token in tokens)
        assert "@" not in words, "no address is logged"


def test_nothing_said_about_trouble_names_a_person(
    office: PostOffice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="tasks.postman")
    office.notice("n/1", "refused-jan@brouwer.example")
    office.notice("n/2", "busy-jan@brouwer.example")
    office.notice("n/3", "bounced-jan@brouwer.example")
    office.deliver()
    wait_for(lambda: read_notices(office.records, office.notices).bounced == 1)
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("tasks."))
    assert said.count("did not arrive") == 2
    assert "@" not in said


def test_a_postman_survives_that_its_server_comes_and_goes(office: PostOffice) -> None:
    port = free_port()
    office.mailbox = type(office.mailbox)(port, office.mailbox.store)
    office.move(timedelta(0))  # so that the postman sees that this clock can be moved
    postman = office.start(POSTMAN)
    office.notice("n/1", TO)
    wait_for(lambda: office.mails()[0].last_error is not None)
    with running(MailboxSettings(office.settings.root, smtp_port=port)):
        office.move(BACK_OFF[0] + timedelta(seconds=1))
        wait_for(lambda: office.mails()[0].state is MailState.ACCEPTED)
    postman.process.terminate()
    assert postman.ended() == 0, postman.said()
    assert len(office.raw(TO)) == 1
