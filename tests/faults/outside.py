"""What a play left in the world, counted without asking the records: switches, mailboxes, production itself."""

from __future__ import annotations

import email
import email.policy
import json
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from demo.environment_folder import EnvironmentFolder
from demo.install_log import SWITCHES, read_log

if TYPE_CHECKING:
    from pathlib import Path

    from demo.mailbox.store import Store

Mail = tuple[str, str]
"""Address and subject."""


@dataclass(frozen=True)
class Picture:
    """The world after a play.

    Attributes:
        switches: of each environment, what its deploy script switched, in order.
        mails: how many different mails (by Message-ID) each mailbox holds, by subject.
        copies: how often one and the same mail (equal Message-ID) arrived again.
        production: version, and whether the new field is there.
    """

    switches: dict[str, list[str]]
    mails: Counter[Mail]
    copies: int
    production: tuple[str, bool]


@dataclass
class Damage:
    """What differs from a play in which nothing was killed."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    mail_window: int = 0

    @property
    def is_none(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return not self.lost and not self.doubled


def picture(root: Path, customer: str, store: Store) -> Picture:
    """Count what there is: `root` is the demo vendor's, `store` the mail server's."""
    mails: Counter[Mail] = Counter()
    copies = 0
    for address in store.addresses():
        seen: Counter[tuple[str, str]] = Counter()
        for stored in store.messages(address):
            message = email.message_from_bytes(stored.raw, policy=email.policy.default)
            seen[str(message["Message-ID"]), " ".join(str(message["Subject"]).split())] += 1
        for (_, subject), count in seen.items():
            mails[address, subject] += 1
            copies += count - 1
    return Picture(_switches(root, customer), mails, copies, _production(root, customer))


def _switches(root: Path, customer: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"acceptance": [], "production": []}
    for line in read_log(root):
        if line["customer"] == customer and line["result"] in SWITCHES:
            found[line["environment"]].append(f"{line['result']} {line['sha256'][:12]}")
    return found


def _production(root: Path, customer: str) -> tuple[str, bool]:
    service = EnvironmentFolder(root, customer, "production").read_json("service.json")
    version = _get(f"{service['url']}/version")["version"]
    orders = _get(f"{service['url']}/api/orders")["orders"]
    return version, bool(orders) and all("urgency" in order for order in orders)


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback, from the demo
        return json.load(answer)


def compare(expected: Picture, found: Picture, *, windows: int) -> Damage:
    """What was lost and doubled; `windows` counts the cuts between a server's 250 and the note of it."""
    damage = Damage(mail_window=min(found.copies, windows))
    for mail in sorted(expected.mails.keys() | found.mails.keys()):
        more = found.mails[mail] - expected.mails[mail]
        word = damage.doubled if more > 0 else damage.lost
        word.extend([f"mail {mail[1]!r} to {mail[0]}"] * abs(more))
    damage.doubled.extend(["a copy of a mail outside of the one window"] * (found.copies - windows))
    for environment, switches in expected.switches.items():
        _compare_switches(environment, switches, found.switches[environment], damage)
    if found.production != expected.production:
        damage.lost.append(f"production is {found.production}, not {expected.production}")
    return damage


def _compare_switches(environment: str, expected: list[str], found: list[str], damage: Damage) -> None:
    wanted, done = Counter(expected), Counter(found)
    damage.lost.extend(f"{environment}: {switch}" for switch in (wanted - done).elements())
    damage.doubled.extend(f"{environment}: {switch}" for switch in (done - wanted).elements())
    if wanted == done and expected != found:
        damage.lost.append(f"{environment}: the order of {', '.join(expected)}")
