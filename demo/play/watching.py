"""How the case stands, read from the records and never written there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nakoming.agreement.local_time import local_date
from nakoming.records import agreements, case_runs, cases, outbox, steps, waiting
from nakoming.records.cases import State

if TYPE_CHECKING:
    from datetime import date

    from nakoming.records.cases import Case
    from nakoming.records.store import Records, Tx

KIND = "rfc"

_UNSENT = frozenset({outbox.MailState.QUEUED, outbox.MailState.SENDING})


@dataclass(frozen=True)
class Look:
    """What one look showed.

    Attributes:
        case: the case; None before its first run opened it.
        waits: what it waits for, for whom.
        runs: how many Prefect runs have worked on it.
        run: the newest of them.
        unsent: mails that are still to be sent.
        today: the local date.
        doing: the newest step.
        mark: changes whenever anything in the case does.
    """

    case: Case | None
    waits: tuple[str, ...]
    runs: int
    run: str | None
    unsent: int
    today: date
    doing: str
    mark: tuple[Any, ...]

    @property
    def state(self) -> str:
        """Where the case stands, in a word."""
        return str(self.case.state) if self.case else "not opened yet"

    @property
    def is_closed(self) -> bool:
        """Whether the case has ended."""
        return self.case is not None and self.case.state == State.CLOSED


@dataclass(frozen=True)
class Watch:
    """Looks at one case."""

    records: Records
    customer: str
    reference: str
    kind: str = KIND

    def look(self) -> Look:
        """Look once."""
        with self.records.read() as tx:
            case = cases.find(tx, self.kind, self.customer, self.reference)
            if case is None:
                return Look(None, (), 0, None, 0, local_date(tx.now), "", ())
            return _look(tx, case)

    def officers(self) -> list[tuple[str, str]]:
        """Everybody who may be asked: name and address, the customer's officers and the vendor's."""
        with self.records.read() as tx:
            persons = [*agreements.get(tx, self.customer).persons, *agreements.vendor(tx).persons]
        return [(person.name, person.email.lower()) for person in persons]


def _look(tx: Tx, case: Case) -> Look:
    done = steps.listed(tx, case.id)
    waits = tuple(f"{wait.what} ({', '.join(wait.for_whom)})" for wait in waiting.waits(tx, case))
    unsent = sum(1 for mail in outbox.of_case(tx, case.id) if mail.state in _UNSENT)
    doing = done[-1].name if done else ""
    last = (doing, done[-1].state, done[-1].attempt) if done else ()
    mark = (case.state, case.stage, case.lease_epoch, len(done), last, waits, unsent)
    run = case_runs.newest(tx, case.id)
    return Look(case, waits, case_runs.count(tx, case.id), run, unsent, local_date(tx.now), doing, mark)
