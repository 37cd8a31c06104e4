"""What a case is made of: its state, its row, the lease on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

LEASE = timedelta(seconds=15)
HEARTBEAT = timedelta(seconds=5)


class State(StrEnum):
    """Where a case stands."""

    OPEN = "open"  # wants to be worked on, or is
    WAITING = "waiting"  # for people or an instant
    STUCK = "stuck"  # failed too often; an operator looks
    HELD = "held"  # an operator stopped it
    CLOSED = "closed"


LIVE = (State.OPEN, State.WAITING, State.STUCK, State.HELD)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A case as it lies in the records."""

    id: str
    kind: str
    customer: str
    subject: str
    agreement_version: int
    flow_revision: int
    parameters: dict[str, Any]
    state: State
    outcome: str | None
    stage: str | None
    attempts: int
    last_error: str | None
    waits_for: Any
    ask_everything: bool
    opened_at: datetime
    closed_at: datetime | None
    lease_owner: str | None
    lease_epoch: int
    lease_until: datetime | None
    wake_at: datetime | None

    @property
    def key(self) -> str:
        """The business key as people write it."""
        return f"{self.kind}/{self.customer}/{self.subject}"


@dataclass(frozen=True)
class Lease:
    """The right to work on a case; every write names it, so that a holder of old is refused."""

    case_id: str
    customer: str
    key: str
    owner: str
    epoch: int


@dataclass(frozen=True)
class Opened:
    """What opening gave: the case, whether it was there before, and how the parameters differ then."""

    case: Case
    joined: bool
    differences: dict[str, tuple[Any, Any]]
