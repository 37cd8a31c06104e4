"""One exchange: in from the ERP, out to it, or both compared (S-4.2.1); and what operators see of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nakoming.records.events import Event
from tasks.erp import exchange, held_back, overruled, shown, told
from tasks.erp.agreed import contracts_of
from tasks.erp.health import left_alone_until

if TYPE_CHECKING:
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun
    from tasks.erp.exchange import Ends
    from tasks.erp.inbox import InboxTaken

EXCHANGED = "exchanged"
REHEARSED = "rehearsed: nothing was changed"
COMPARED = "both sides are equal"
MENDED = "both sides are equal again: hours or materials changed at the ERP were written again"
NOTHING_TO_COMPARE = "nothing to compare: the ERP gives files alone"
LEFT_ALONE = "left alone: the ERP does not answer"
NOT_REACHED = "the ERP does not answer"
REFUSED = "not all was taken: something was refused"
DIFFERS = "the two sides differ"
_MENDING = _TELLING = 2  # the revision that has these steps
_CATCHING_UP = 3
_OUTWARDS = 4
RED = frozenset({LEFT_ALONE, NOT_REACHED, REFUSED, DIFFERS})


@dataclass(frozen=True)
class Exchange:
    """What this run does, from what it was started with."""

    case: CaseRun
    link: exchange.Link
    mode: str
    order: str | None
    dry_run: bool
    taken: InboxTaken

    @property
    def compares(self) -> bool:
        """Whether both sides are compared; only the Suite's own hours and materials are written again."""
        return self.mode == "compare"

    def is_left_alone(self) -> bool:
        """Whether the ERP failed so often that it is not tried now; the operators know."""
        until = self.case.record("start/1/left-alone", self._left_alone)
        return until is not None

    def _left_alone(self, tx: Tx) -> Any:
        return left_alone_until(tx, self.case.customer, self.link.erp)

    def fetched_and_sent(self) -> str:
        """In, then out: what the Suite tells stands on what it knows."""
        if self.dry_run:
            return self.rehearsed()
        fetched = []
        for name in exchange.INTERFACES:
            got = self.case.do(
                f"fetch/1/{name}",
                exchange.fetch,
                link=self.link,
                table=name,
                full=self.mode == "full",
                order=self.order,
            )
            fetched.append(got)
            if got.down is not None:
                return self._ended(NOT_REACHED, fetched, exchange.SentBack())
        sent = self.case.do("send/1/outbox", exchange.send_back, link=self.link, order=self.order)
        if sent.down is not None:
            return self._ended(NOT_REACHED, fetched, sent)
        refused = sent.refused or any(each.refused for each in fetched)
        return self._ended(REFUSED if refused else EXCHANGED, fetched, sent)

    def rehearsed(self) -> str:
        """What would come in; nothing is changed on either side."""
        found = self.case.do(
            "rehearse/1/all", exchange.rehearse, link=self.link, full=self.mode == "full", order=self.order
        )
        if any(each.down for each in found):
            return self._ended(NOT_REACHED, found, exchange.SentBack())
        refused = any(each.refused for each in found)
        return self._ended(REFUSED if refused else REHEARSED, found, exchange.SentBack())

    def compared(self) -> str:
        """Every table on both sides, and what the Suite wrote there; what stays different is told."""
        late = self._caught_up()
        if late is not None:
            return late
        found = [
            self.case.do(f"compare/1/{name}", exchange.compare, link=self.link, table=name)
            for name in exchange.INTERFACES
        ]
        registered = self._registrations()
        self._overruled(registered.overruled)
        found += self._outwards()
        counts = {each.interface: each.model_dump() for each in found}
        mended = {"registrations": registered.model_dump()} if self._mends else {}
        self.case.prove("evidence/1/compared", Event.ERP_COMPARED, clause="S-2.6.7a", tables=counts, **mended)
        shown.publish_comparison(self.case.customer, found, registered)
        if registered.down or any(each.down for each in found):
            return NOT_REACHED
        if registered.unmended or not all(each.equal for each in found):
            exchange.tell_differences(self.case, found, registered)
            return DIFFERS
        return MENDED if registered.mended else COMPARED

    def _caught_up(self) -> str | None:
        """What changed or went away since the last exchange comes in first: that is no difference.

        Returns:
            The outcome when the ERP was not reached; else none.
        """
        if self.case.revision < _CATCHING_UP or self.dry_run:
            return None
        for name in exchange.INTERFACES:
            got = self.case.do(
                f"fetch/1/{name}", exchange.fetch, link=self.link, table=name, full=False, order=None
            )
            if got.down is None:
                got = self.case.do(f"removed/1/{name}", exchange.follow_removals, link=self.link, table=name)
            if got.down is not None:
                return NOT_REACHED
        return None

    @property
    def _mends(self) -> bool:
        """Whether the Suite's hours and materials are looked after; a dry run changes nothing."""
        return self.case.revision >= _MENDING and not self.dry_run

    def _overruled(self, any_of_them: object) -> None:
        """Name who won where both sides had changed the same; a dry run overrules nothing."""
        if not any_of_them or self.dry_run or self.case.revision < _OUTWARDS:
            return
        since = self.case.case.opened_at
        found = self.case.do(
            "overruled/1/named", overruled.name_overrulings, suite=self.link.suite, since=since
        )
        shown.publish_overruled(self.case.customer, found)

    def _outwards(self) -> list[exchange.SideBySide]:
        """What the Suite wrote there, after its hours and materials were looked after."""
        if self.case.revision < _OUTWARDS or self.dry_run:
            return []
        return [
            self.case.do(f"compare/1/{name}", exchange.compare_outward, link=self.link, table=name)
            for name in exchange.OUTWARDS
        ]

    def _registrations(self) -> exchange.Registrations:
        if not self._mends:
            return exchange.Registrations()
        return self.case.do("compare/1/registrations", exchange.mend_registrations, link=self.link)

    def _ended(self, outcome: str, fetched: list[exchange.Fetched], sent: exchange.SentBack) -> str:
        outcome = with_files(outcome, self.taken)
        self.case.prove(
            "evidence/1/exchanged",
            Event.ERP_EXCHANGED,
            clause="S-4.2.1",
            outcome=outcome,
            dry_run=self.dry_run,
            fetched={each.interface: each.counts for each in fetched},
            sent=sent.counts,
            guarantee=told.guarantee(sent.counts),
        )
        self._kept_pages(fetched)
        self._overruled(any(each.counts.get("overruled") for each in fetched))
        shown.publish_exchange(self.case.customer, outcome, fetched, sent)
        return outcome

    def _kept_pages(self, fetched: list[exchange.Fetched]) -> None:
        """The report of the run: pages where there is something to tell, and of a full run; else a few lines.

        A run every five minutes in which all was well would leave a hundred thousand pages a year.
        """
        if self.dry_run or self.case.revision < _TELLING:
            return
        refused = {each.interface: each.refused for each in fetched if each.refused}
        held = self.taken.files or any(each.counts.get("quarantined") for each in fetched)
        every = self.mode == "full" and self.case.revision >= _OUTWARDS
        if refused or held or every:
            pages_of(self.case, self.link.suite, refused, every=every)
        else:
            counts = {each.interface: each.counts for each in fetched}
            shown.publish_clean(self.case.customer, counts, contracts_of(self.case))


def pages_of(case: CaseRun, suite: str, refused: dict[str, str], *, every: bool = False) -> None:
    """Pages about what this run held back or refused, or about every interface, and where they are."""
    at = case.now("pages/1/at")
    if every:
        pages = case.do("pages/1/kept", held_back.keep_pages, suite=suite, refused=refused, at=at, every=True)
    else:  # as before there was a choice: a case goes on with the inputs that it began with
        pages = case.do("pages/1/kept", held_back.keep_pages, suite=suite, refused=refused, at=at)
    if pages:
        shown.publish_pages(case.customer, pages)


def with_files(outcome: str, taken: InboxTaken) -> str:
    """The outcome of a run that took files as well: what is worse counts."""
    if outcome != EXCHANGED:
        return outcome
    if taken.down:
        return NOT_REACHED
    return REFUSED if taken.is_refused else EXCHANGED


def of_files(case: CaseRun, suite: str, taken: InboxTaken) -> str:
    """The outcome where the ERP gives files and nothing else."""
    given = case.case.parameters
    if taken.files:
        pages_of(case, suite, {})
    if given["mode"] == "compare":
        return NOTHING_TO_COMPARE
    return REHEARSED if given["dry_run"] else with_files(EXCHANGED, taken)


def of_case(case: CaseRun, link: exchange.Link, taken: InboxTaken) -> Exchange:
    """The exchange of a case with the ERP's database."""
    given = case.case.parameters
    return Exchange(case, link, given["mode"], given["order"] or None, given["dry_run"], taken)


def ends_of(case: CaseRun) -> Ends:
    """The connections that the customer's agreement names.

    Raises:
        NoErp: it names none.
    """
    with case.records.read() as tx:
        return exchange.ends_of(tx, case.customer, case.case.agreement_version)
