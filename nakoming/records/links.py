"""Links: one per gate and person, carrying no verb. Nothing in the database can make the secret half."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from nakoming.records import schema
from nakoming.records.events import Event
from nakoming.records.gate_model import Contact
from nakoming.records.store import new_id

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

    from nakoming.records.keys import Keyring
    from nakoming.records.store import Tx

_links = schema.links
_ID_BYTES = 16
_MAC_BYTES = 24
ACTIVE = "active"
REVOKED = "revoked"


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link as it lies in the records."""

    id: str
    gate_id: str
    customer: str
    contact: Contact
    generation: int
    state: str
    issued_at: datetime
    opened_at: datetime | None


def issue(tx: Tx, gate_id: str, customer: str, contact: Contact) -> str:
    """Make the link of a person to a gate; its identity."""
    link_id = new_id()
    row = {
        "id": link_id,
        "gate_id": gate_id,
        "person": contact.person,
        "customer": customer,
        "contact_sealed": tx.seal(customer, f"link/{link_id}", contact.as_data()),
        "address_index": address_index(tx.records.keys, contact.email),
        "generation": 1,
        "state": ACTIVE,
        "issued_at": tx.now,
    }
    tx.connection.execute(insert(_links).values(row))
    return link_id


def address_index(keys: Keyring, email: str) -> str:
    """The keyed digest by which an address is found without being stored."""
    secret = keys.derive("address-index")
    return hmac.new(secret, email.strip().lower().encode(), hashlib.sha256).hexdigest()


def token(keys: Keyring, link_id: str, generation: int) -> str:
    """The token of a link: made again whenever a mail is rendered, stored nowhere."""
    mac = bytes.fromhex(keys.sign_link(link_id, generation))[:_MAC_BYTES]
    return base64.urlsafe_b64encode(bytes.fromhex(link_id) + mac).decode()


def resolve(tx: Tx, presented: str) -> Link | None:
    """The link that a token opens; nothing for an unknown, forged, superseded or revoked one alike."""
    try:
        raw = base64.urlsafe_b64decode(presented.encode())
    except (ValueError, binascii.Error):
        return None
    if len(raw) != _ID_BYTES + _MAC_BYTES:
        return None
    link_id = raw[:_ID_BYTES].hex()
    link = by_id(tx, link_id)
    # The comparison is made for unknown links too: both answers take the same time.
    generation = link.generation if link else 0
    expected = token(tx.records.keys, link_id, generation)
    right = hmac.compare_digest(expected.encode(), presented.encode())
    return link if link and right and link.state == ACTIVE else None


def by_id(tx: Tx, link_id: str) -> Link | None:
    """The link with this identity."""
    row = tx.connection.execute(select(_links).where(_links.c.id == link_id)).one_or_none()
    return None if row is None else _link(tx, row)


def of_gate(tx: Tx, gate_id: str) -> list[Link]:
    """The links of a gate, in the order in which they were made."""
    query = select(_links).where(_links.c.gate_id == gate_id).order_by(_links.c.issued_at, _links.c.id)
    return [_link(tx, row) for row in tx.connection.execute(query)]


def open_questions(tx: Tx, person: str, customer: str) -> list[Link]:
    """The links of a person to gates of one customer that are open, the earliest deadline first."""
    g = schema.gates.c
    query = (
        select(_links)
        .join(schema.gates, g.id == _links.c.gate_id)
        .where(_links.c.person == person, _links.c.customer == customer, _links.c.state == ACTIVE)
        .where(g.state == "open")
        .order_by(g.due_by, g.opened_at)
    )
    return [_link(tx, row) for row in tx.connection.execute(query)]


def by_address(tx: Tx, email: str) -> list[Link]:
    """The links of an address to gates that are open."""
    g = schema.gates.c
    query = (
        select(_links)
        .join(schema.gates, g.id == _links.c.gate_id)
        .where(_links.c.address_index == address_index(tx.records.keys, email))
        .where(_links.c.state == ACTIVE, g.state == "open")
        .order_by(g.due_by, g.opened_at)
    )
    return [_link(tx, row) for row in tx.connection.execute(query)]


def _link(tx: Tx, row: Row[Any]) -> Link:
    contact = tx.unseal(row.customer, f"link/{row.id}", row.contact_sealed)
    return Link(
        id=row.id,
        gate_id=row.gate_id,
        customer=row.customer,
        contact=Contact(**contact),
        generation=row.generation,
        state=row.state,
        issued_at=row.issued_at,
        opened_at=row.opened_at,
    )


def opened(tx: Tx, link_id: str) -> None:
    """Note that a link was followed for the first time."""
    first = update(_links).where(_links.c.id == link_id, _links.c.opened_at.is_(None))
    tx.connection.execute(first.values(opened_at=tx.now))


def reissue(tx: Tx, link: Link) -> None:
    """Send a person a new link; the old one is dead from this instant."""
    from nakoming.records import outbox

    generation = link.generation + 1
    c = _links.c
    newer = update(_links).where(c.id == link.id, c.generation == link.generation)
    if tx.connection.execute(newer.values(generation=generation, issued_at=tx.now)).rowcount != 1:
        return  # somebody else did so at the same moment
    case_id = tx.connection.execute(
        select(schema.gates.c.case_id).where(schema.gates.c.id == link.gate_id)
    ).scalar_one()
    outbox.put(
        tx,
        outbox.Mail(
            key=f"question/{link.id}/{generation}",
            kind="link_reissued",
            customer=link.customer,
            recipient=link.contact,
            case_id=case_id,
            gate_id=link.gate_id,
            link_id=link.id,
            generation=generation,
        ),
    )
    payload = {"person": link.contact.person, "generation": generation}
    about = f"gate:{link.gate_id}"
    tx.prove(Event.LINK_REISSUED, link.customer, payload, case_id=case_id, about=about)


def revoke(tx: Tx, gate_id: str) -> None:
    """Kill every link of a gate."""
    tx.connection.execute(update(_links).where(_links.c.gate_id == gate_id).values(state=REVOKED))
