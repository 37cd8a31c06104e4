"""Which backups are kept and which are deleted (S-2.4.3, S-2.4.4, S-2.4.7): a decision on facts alone.

Two duties pull at each other: no backup is older than agreed, and no loss of data that could be avoided. The
second one wins: what is needed to be safe is kept past its time, and that is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

ZERO: Final = timedelta(0)


class Rule(StrEnum):
    """What decided about one backup; its value is the clause that the evidence names."""

    WITHIN_HISTORY = "within the agreed history"
    NEXT_ROUND = "the run of the night that takes its place is verified"
    TOO_OLD = "older than the agreed history"
    UNFINISHED = "never verified, and a later one is"
    UNFINISHED_NEWEST = "not verified, and no later one is"
    GENERATIONS = "one of the newest verified, which are never deleted"
    CLOCK_JUMPED = "the clock jumped"
    NEWEST_TOO_OLD = "the newest verified is too old"
    SHRUNK = "the newest verified lost too much of its source"


_CLAUSES: Final = {
    Rule.WITHIN_HISTORY: "S-2.4.3",
    Rule.NEXT_ROUND: "S-2.4.3",
    Rule.TOO_OLD: "S-2.4.3",
    Rule.UNFINISHED: "S-2.4.3",
}
DELETING: Final = frozenset({Rule.NEXT_ROUND, Rule.TOO_OLD, Rule.UNFINISHED})


@dataclass(frozen=True, slots=True)
class BackupSet:
    """One backup as the ledger knows it; `verified_at` None: it is not known to be good.

    `has_shrunk`: its source was empty, or had lost more than allowed since the backup before.
    """

    sequence: int
    night_on: date
    taken_at: datetime
    verified_at: datetime | None
    has_shrunk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryTerms:
    """What is agreed.

    Attributes:
        days: how long backups are kept, in days of 24 hours.
        is_contracted: whether that length is the customer's own (S-2.4.4) and not the SLA's.
        generations: so many of the newest verified are never deleted.
        newest_age: with the newest verified older than this, nothing is deleted.
        largest_gap: with the clock further than this from the last instant known, nothing is deleted.
    """

    days: int = 7
    is_contracted: bool = False
    generations: int = 2
    newest_age: timedelta = timedelta(hours=36)
    largest_gap: timedelta = timedelta(hours=36)

    @property
    def length(self) -> timedelta:
        """How long a backup is kept."""
        return timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one backup and why; `over` is how much older than agreed it is."""

    backup: BackupSet
    rule: Rule
    clause: str
    over: timedelta

    @property
    def is_deleted(self) -> bool:
        """Whether it goes."""
        return self.rule in DELETING

    @property
    def overstays(self) -> bool:
        """Whether it is kept though it should be gone: a breach that is told."""
        return self.over > ZERO and not self.is_deleted

    @property
    def reason(self) -> str:
        """One sentence for people."""
        does = "deleted" if self.is_deleted else "kept"
        late = f"; {self.over} older than agreed" if self.over > ZERO else ""
        return f"Backup {self.backup.sequence} of {self.backup.night_on} is {does}: {self.rule}{late}."


def decide(
    sets: Iterable[BackupSet], now: datetime, terms: HistoryTerms, *, last_known_at: datetime | None = None
) -> list[Verdict]:
    """Decide about every backup of a customer, the oldest first.

    Args:
        sets: all that are at the sites, verified or not.
        now: the present instant.
        terms: what is agreed.
        last_known_at: when the clock was read by an earlier night; None: this is the first one.
    """
    ordered = sorted(sets, key=lambda each: each.sequence)
    verified = [each for each in ordered if each.verified_at is not None]
    newest = verified[-1] if verified else None
    guard = _guard(verified, now, terms, last_known_at)
    safe = {each.sequence for each in verified[-terms.generations :]}
    ground = _Ground(newest, guard, safe, now, terms)
    return [_verdict(each, ground) for each in ordered]


@dataclass(frozen=True, slots=True)
class _Ground:
    newest: BackupSet | None
    guard: Rule | None
    safe: set[int]
    now: datetime
    terms: HistoryTerms


def _guard(
    verified: Sequence[BackupSet], now: datetime, terms: HistoryTerms, last_known_at: datetime | None
) -> Rule | None:
    """Why nothing at all may be deleted now; None: nothing stands against it."""
    instants = [at for each in verified for at in (each.taken_at, each.verified_at) if at is not None]
    latest = max(instants, default=None)
    if latest is not None and now < latest:
        return Rule.CLOCK_JUMPED
    if last_known_at is not None and not ZERO <= now - last_known_at <= terms.largest_gap:
        return Rule.CLOCK_JUMPED
    if not verified or now - verified[-1].taken_at > terms.newest_age:
        return Rule.NEWEST_TOO_OLD
    # What the older ones hold may be all that is left.
    return Rule.SHRUNK if verified[-1].has_shrunk else None


def _verdict(each: BackupSet, ground: _Ground) -> Verdict:
    over = max(ZERO, ground.now - each.taken_at - ground.terms.length)
    ends = _ends(each, ground, over)
    rule = ends or (Rule.WITHIN_HISTORY if each.verified_at else Rule.UNFINISHED_NEWEST)
    if each.sequence in ground.safe and (over > ZERO or ends):
        rule = Rule.GENERATIONS
    elif ends and ground.guard is not None:
        rule = ground.guard
    return Verdict(each, rule, _clause(rule, ground.terms), over)


def _ends(each: BackupSet, ground: _Ground, over: timedelta) -> Rule | None:
    """The rule by which its time is over; None: it is not. Only a later verified one ends a backup."""
    newest, terms = ground.newest, ground.terms
    if newest is None or each.sequence >= newest.sequence:
        return None
    if each.verified_at is None:
        return Rule.UNFINISHED
    if (newest.night_on - each.night_on).days >= terms.days:
        return Rule.NEXT_ROUND
    return Rule.TOO_OLD if over > ZERO else None


def _clause(rule: Rule, terms: HistoryTerms) -> str:
    clause = _CLAUSES.get(rule, "S-2.4.7")
    return "S-2.4.4" if clause == "S-2.4.3" and terms.is_contracted else clause
