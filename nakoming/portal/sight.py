"""What a visitor may see: the question of a link, as long as the link and its pass live."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from nakoming.portal.errors import LinkUnknown
from nakoming.records import gates, links
from nakoming.records.gate_model import GateState

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.portal.passes import Pass, Passes
    from nakoming.records.gate_model import Gate
    from nakoming.records.links import Link
    from nakoming.records.store import Records, Tx

AFTERLIFE: Final = timedelta(days=30)
"""How long a question can still be looked at after it closed."""
_LINK_ID: Final = re.compile(r"[0-9a-f]{32}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_=-]{20,120}")


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A visitor before a question at an instant."""

    held: Pass
    link: Link
    gate: Gate
    now: datetime


def enter(records: Records, passes: Passes, token: str) -> Pass:
    """A pass for the link that a token opens.

    Raises:
        LinkUnknown: it opens nothing (any more); which of the reasons it is, nobody is told.
    """
    if not _TOKEN.fullmatch(token):  # looked up all the same, so that no answer comes sooner
        token = links.token(records.keys, secrets.token_hex(16), 0)
    with records.read() as tx:
        link = links.resolve(tx, token)
        if link is None or not _lives(link, gates.get(tx, link.gate_id), tx.now):
            raise LinkUnknown
        return passes.issue(link.id, link.generation, tx.now)


def look(records: Records, passes: Passes, link_id: str, cookie: str) -> Sight:
    """What the holder of a cookie sees; `LinkUnknown` when the cookie or the link is not good (any more)."""
    with records.read() as tx:
        return look_in(tx, passes, link_id, cookie)


def look_in(tx: Tx, passes: Passes, link_id: str, cookie: str) -> Sight:
    """The same within a transaction."""
    if not _LINK_ID.fullmatch(link_id):
        raise LinkUnknown
    held = passes.read(link_id, cookie, tx.now)
    link = links.by_id(tx, link_id) if held else None
    if held is None or link is None or link.generation != held.generation:
        raise LinkUnknown
    gate = gates.get(tx, link.gate_id)
    if not _lives(link, gate, tx.now):
        raise LinkUnknown
    return Sight(held=held, link=link, gate=gate, now=tx.now)


def hop(records: Records, passes: Passes, sight: Sight, link_id: str) -> Pass:
    """A pass for another open question of the same person and customer; it ends no later than this one.

    What cannot be undone is not reached this way: a discharge is entered by its own link only.
    """
    with records.read() as tx:
        for link in links.open_questions(tx, sight.link.contact.person, sight.link.customer):
            if link.id == link_id and (
                link.id == sight.link.id or gates.get(tx, link.gate_id).kind != "discharge"
            ):
                return passes.issue(link.id, link.generation, tx.now, until=sight.held.ends_at)
    raise LinkUnknown


def _lives(link: Link, gate: Gate, now: datetime) -> bool:
    if link.state != links.ACTIVE or gate.state == GateState.REVOKED:
        return False
    return gate.closed_at is None or now <= gate.closed_at + AFTERLIFE
