"""What a play left in the world, counted without asking the records: switches, mailboxes, production."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil

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


@dataclass(frozen=True)
class Fault:
    """One thing too few or too many, and the process whose work it is."""

    process: str
    what: str


@dataclass
class Damage:
    """What differs from a play in which nothing was killed.

    Attributes:
        lost: what is missing.
        doubled: what is there too often.
        mail_window: copies of mails whose postman died between the server's 250 and its own note.
    """

    lost: list[Fault] = field(default_factory=list)
    doubled: list[Fault] = field(default_factory=list)
    mail_window: int = 0

    @property
    def is_none(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return not self.lost and not self.doubled

    def count(self, faults: list[Fault], process: str) -> int:
        """How many of these are the work of a process."""
        return sum(fault.process == process for fault in faults)


def added(damages: list[Damage]) -> Damage:
    """The damage of several plays together."""
    total = Damage()
    for damage in damages:
        total.lost.extend(damage.lost)
        total.doubled.extend(damage.doubled)
        total.mail_window += damage.mail_window
    return total


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


def left_behind(folder: Path) -> list[str]:
    """Command lines of processes that work in a folder and are no running Suite: nobody waits for them."""
    lines = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it ended since
            words = process.cmdline()
            if any(str(folder) in word for word in words) and "suite.serve" not in words:
                lines.append(" ".join(words))
    return lines


def suites(folder: Path) -> int:
    """How many Suites run from a folder."""
    count = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            count += "suite.serve" in words and any(str(folder) in word for word in words)
    return count


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
    for address, subject in sorted(expected.mails.keys() | found.mails.keys()):
        more = found.mails[address, subject] - expected.mails[address, subject]
        faults = damage.doubled if more > 0 else damage.lost
        faults.extend([Fault(_author(subject), f"mail {subject!r} to {address}")] * abs(more))
    copy = Fault("postman", "a copy of a mail, sent outside of the one window")
    damage.doubled.extend([copy] * (found.copies - windows))
    for environment, switches in expected.switches.items():
        _compare_switches(environment, switches, found.switches[environment], damage)
    if found.production != expected.production:
        damage.lost.append(Fault("flow", f"production is {found.production}, not {expected.production}"))
    return damage


def _author(subject: str) -> str:
    return "reconciler" if subject.startswith(("Herinnering", "Escalatie")) else "flow"


def _compare_switches(environment: str, expected: list[str], found: list[str], damage: Damage) -> None:
    wanted, done = Counter(expected), Counter(found)
    missing, more = (wanted - done).elements(), (done - wanted).elements()
    damage.lost.extend(Fault("flow", f"{environment}: {switch}") for switch in missing)
    damage.doubled.extend(Fault("flow", f"{environment}: {switch}") for switch in more)
    if wanted == done and expected != found:
        damage.lost.append(Fault("flow", f"{environment}: the order of {', '.join(expected)}"))
