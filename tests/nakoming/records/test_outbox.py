"""The outbox: one sender at a time, one Message-ID, and what happened to a mail stands."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from nakoming.records import outbox
from nakoming.records.gate_model import Contact
from nakoming.records.outbox import Mail, MailState, QueuedMail

if TYPE_CHECKING:
    from tests.nakoming.records.conftest import World

_ANNA = Contact(person="acme:anna", name="Anna", email="anna@acme.example", language="nl", role="approver")


def _put(world: World, key: str = "note/1") -> str:
    with world.records.write() as tx:
        return outbox.put(tx, Mail(key=key, kind="note", customer="acme", recipient=_ANNA, context={"n": 1}))


def _claim(world: World, owner: str | None = None, limit: int = 20) -> list[QueuedMail]:
    with world.twin().write() as tx:
        return outbox.claim(tx, owner or world.owner, limit)


def _state(world: World, mail: QueuedMail) -> MailState:
    with world.records.write() as tx:
        found = outbox.bounced(tx, "<unknown@nakoming.invalid>", "x")
        assert found is None
        row = tx.connection.execute(
            outbox.schema.outbox.select().where(outbox.schema.outbox.c.id == mail.id)
        ).one()
        return MailState(row.state)


def test_the_same_key_is_the_same_mail_also_for_two_at_once(world: World) -> None:
    barrier = threading.Barrier(2)

    def put() -> str:
        barrier.wait()
        return _put(world)

    with ThreadPoolExecutor(2) as pool:
        both = [future.result() for future in [pool.submit(put), pool.submit(put)]]
    assert both[0] == both[1] == _put(world)
    with world.records.read() as tx:
        assert outbox.waiting(tx) == 1


def test_two_senders_who_claim_at_once_never_get_the_same_mail(world: World) -> None:
    for number in range(20):
        _put(world, f"note/{number}")
    barrier = threading.Barrier(2)

    def claim(owner: str) -> list[str]:
        barrier.wait()
        taken = []
        while mails := _claim(world, owner, limit=3):
            taken += [mail.id for mail in mails]
        return taken

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(claim, (world.owner, world.other))
    assert not set(first) & set(second)
    assert len(first) + len(second) >= 20 - 3  # what one held locked is left for the next round
    with world.records.read() as tx:
        assert outbox.waiting(tx) == 20


def test_mails_of_a_living_sender_do_not_stand_in_the_way_of_others(world: World) -> None:
    for number in range(4):
        _put(world, f"note/{number}")
    first = _claim(world, world.owner, limit=2)
    second = _claim(world, world.other, limit=2)
    assert len({mail.id for mail in first + second}) == 4


def test_a_dead_senders_mail_is_taken_up_at_once_with_the_same_message_id(world: World) -> None:
    _put(world)
    program = """
        from nakoming.records import outbox
        from nakoming.records.owners import this_process
        with records.write() as tx:
            print(outbox.claim(tx, this_process())[0].message_id)
    """
    message_id = world.python(program).communicate()[0].strip()
    [mail] = _claim(world)
    assert (mail.message_id, mail.attempts) == (message_id, 1)


def test_a_sender_on_another_host_keeps_its_mail_for_two_minutes_and_as_long_as_it_renews(
    world: World,
) -> None:
    _put(world)
    [mail] = _claim(world)
    world.move(timedelta(seconds=100))
    assert _claim(world, world.other) == []
    with world.records.write() as tx:
        assert outbox.renew(tx, mail, world.owner)
    world.move(timedelta(seconds=100))
    assert _claim(world, world.other) == []
    world.move(timedelta(seconds=30))
    assert len(_claim(world, world.other)) == 1
    with world.records.write() as tx:
        assert not outbox.renew(tx, mail, world.owner)


def test_a_deferred_mail_is_tried_again_later_and_later(world: World) -> None:
    _put(world)
    pauses = []
    for _ in range(6):
        [mail] = _claim(world)
        with world.records.write() as tx:
            outbox.deferred(tx, mail, "451 try later")
        pause = outbox.BACK_OFF[min(mail.attempts, len(outbox.BACK_OFF) - 1)]
        world.move(pause - timedelta(seconds=2))
        assert _claim(world) == []
        world.move(timedelta(seconds=3))
        pauses.append(pause)
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1]


def test_a_sender_that_was_overtaken_does_not_put_the_mail_back_into_the_queue(world: World) -> None:
    _put(world)
    [slow] = _claim(world)
    world.move(timedelta(minutes=3))
    [quick] = _claim(world, world.other)
    with world.records.write() as tx:
        outbox.deferred(tx, slow, "timed out")
    assert _state(world, slow) == MailState.SENDING
    with world.records.write() as tx:
        outbox.sent(tx, quick, accepted=False, digest="0")
    with world.records.write() as tx:
        outbox.deferred(tx, slow, "timed out")
    assert _state(world, slow) == MailState.RELAYED


@pytest.mark.parametrize(
    ("accepted", "state", "event"),
    [(True, MailState.ACCEPTED, "mail:message:accepted"), (False, MailState.RELAYED, "mail:message:relayed")],
)
def test_arrival_has_grades_and_evidence(
    world: World, *, accepted: bool, state: MailState, event: str
) -> None:
    _put(world)
    [mail] = _claim(world)
    with world.records.write() as tx:
        outbox.sent(tx, mail, accepted=accepted, digest="0" * 64)
    assert _state(world, mail) == state
    assert world.events() == [event]
    assert _claim(world, world.other) == []


@pytest.mark.parametrize("grade", ["relayed", "accepted"])
def test_what_a_server_took_may_still_bounce_once(world: World, grade: str) -> None:
    _put(world)
    [mail] = _claim(world)
    with world.records.write() as tx:
        outbox.sent(tx, mail, accepted=grade == "accepted", digest="0")
    with world.records.write() as tx:
        assert outbox.bounced(tx, mail.message_id, "550 no such user") is not None
    with world.records.write() as tx:
        assert outbox.bounced(tx, mail.message_id, "550 no such user") is None
        assert not outbox.notice_accepted(tx, mail.gate_id or "")
    assert _state(world, mail) == MailState.BOUNCED
    assert world.events() == [f"mail:message:{grade}", "mail:message:bounced"]


@pytest.mark.parametrize("order", ["sent first", "notice first"])
def test_after_a_notice_of_delivery_no_bounce_undoes_it(world: World, order: str) -> None:
    """Delivered is a terminal state of which no further notice is to be expected (RFC 3464, 2.3.3)."""
    _put(world)
    [mail] = _claim(world)
    acts = [
        lambda tx: outbox.sent(tx, mail, accepted=order == "notice first", digest="0"),
        lambda tx: outbox.arrived(tx, mail.message_id),
    ]
    for act in acts if order == "sent first" else reversed(acts):
        with world.records.write() as tx:
            act(tx)
    with world.records.write() as tx:
        assert outbox.bounced(tx, mail.message_id, "550 no such user") is None
    assert _state(world, mail) == MailState.ACCEPTED
    assert "mail:message:bounced" not in world.events()


@pytest.mark.parametrize("before", ["arrived", "sent by another", "bounced"])
def test_a_repeat_that_is_refused_undoes_nothing(world: World, before: str) -> None:
    _put(world)
    [mail] = _claim(world)
    with world.records.write() as tx:
        if before == "sent by another":
            outbox.sent(tx, mail, accepted=True, digest="0")
        elif before == "arrived":
            outbox.arrived(tx, mail.message_id)
        else:
            outbox.bounced(tx, mail.message_id, "550")
    stood = _state(world, mail)
    with world.records.write() as tx:
        assert not outbox.refused(tx, mail, "554 duplicate")
        outbox.void(tx, mail)
    assert _state(world, mail) == stood
    assert "mail:message:refused" not in world.events()


def test_mails_whose_key_was_destroyed_end_with_evidence_and_stop_no_other(world: World) -> None:
    lost = [_put(world, f"lost/{number}") for number in range(3)]
    with world.records.write() as tx:
        kept = outbox.put(tx, Mail(key="kept", kind="note", customer="other", recipient=_ANNA))
    world.records.keys.destroy("acme")
    assert [mail.id for mail in _claim(world, limit=1)] == [kept]
    with world.records.read() as tx:
        assert outbox.waiting(tx) == 1, "what can never be sent does not wait"
        rows = tx.connection.execute(outbox.schema.outbox.select().order_by("queued_at")).all()
    ended = [row for row in rows if row.id in lost]
    assert {(row.state, row.last_error) for row in ended} == {
        ("refused", "The key acme.1 was destroyed: what it sealed can never be read again.")
    }
    assert world.events() == ["mail:message:refused"] * 3


def test_a_mail_whose_key_is_away_waits_for_it(world: World) -> None:
    mail_id = _put(world)
    key = world.records.keys.folder / "acme.1.key"
    away = key.rename(key.with_suffix(".away"))
    assert _claim(world) == []
    with world.records.read() as tx:
        assert outbox.waiting(tx) == 1
    away.rename(key)
    world.move(timedelta(minutes=3))
    assert [mail.id for mail in _claim(world)] == [mail_id]


@pytest.mark.parametrize(
    ("notice", "state"), [("arrived", MailState.ACCEPTED), ("bounced", MailState.BOUNCED)]
)
def test_a_notice_that_is_quicker_than_the_sender_stands(world: World, notice: str, state: MailState) -> None:
    _put(world)
    [mail] = _claim(world)
    with world.records.write() as tx:
        if notice == "arrived":
            outbox.arrived(tx, mail.message_id)
        else:
            outbox.bounced(tx, mail.message_id, "550")
    with world.records.write() as tx:
        outbox.sent(tx, mail, accepted=False, digest="0")
    assert _state(world, mail) == state


def test_a_refused_and_an_overtaken_mail_are_not_sent_again(world: World) -> None:
    _put(world, "note/1")
    _put(world, "note/2")
    first, second = _claim(world)
    with world.records.write() as tx:
        outbox.refused(tx, first, "550 never")
        outbox.void(tx, second)
    world.move(timedelta(days=1))
    assert _claim(world) == []
    assert (_state(world, first), _state(world, second)) == (MailState.REFUSED, MailState.VOID)
