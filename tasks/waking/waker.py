"""Wakes a case: its newest run is resumed, or replaced by a new one when it is over, gone or dead.

Waking proves nothing and may happen twice: the run reads the records, and one of two finds the case held.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from nakoming.records import cases, failures, wishes
from nakoming.records.case_model import LEASE, State
from nakoming.records.errors import RecordsError
from tasks.waking.errors import ManyDeadRuns, NoDeployment, PrefectAway, PrefectRefused
from tasks.waking.runs import ENDED, WORKING, NewRun, Run

if TYPE_CHECKING:
    from nakoming.records.store import Records
    from nakoming.records.wishes import Wish
    from tasks.waking.runs import Runs

_log = logging.getLogger("nakoming.waking")
# Between a worker's claim and a flow that holds its case. What Prefect knows of the worker cannot shorten it:
# its heartbeats come every 30 s, and a silent worker counts as gone after three, which is later; one that was
# killed and is kept running by a supervisor has the same name again within a second, and is never silent; and
# the processes of Prefect's own workers outlive a killed worker, so that the run may be about to begin.
# Where they do not, in our warm workers, the next worker gives up the claims (deployments.warm.orphans).
PATIENCE = timedelta(seconds=60)
_TRIES = 8
_DIED = "The process that worked on this run is gone; a new run goes on from the last finished step."


class Verdict(Enum):
    """What becomes of a run that could not be resumed."""

    REPLACE = auto()  # another one is started
    DONE = auto()  # nothing is left to do
    LATER = auto()  # looked at again by whoever comes next


def tag_of(kind: str) -> str:
    """The tag of the deployment that runs this kind of case."""
    return f"process:{kind}"


class Waker:
    """Wakes cases; many may do so at the same time.

    Args:
        records: where the wishes stand; pooled, in a process that lives long.
        runs: an open connection to Prefect.
    """

    def __init__(self, records: Records, runs: Runs) -> None:
        self._records = records
        self._runs = runs
        self.crashed: list[str] = []  # runs that were found dead, for the report of a pass
        self.held: list[str] = []  # keys of the cases that were cancelled in the UI

    async def wake(self, case_id: str) -> bool:
        """See to it that a run takes the case up, if it wants to run.

        Returns:
            Whether nothing is left to do: Prefect knows, or the case does not want to run. When it is false,
            the reconciler tries again.
        """
        try:
            return await self.attempt(case_id)
        except PrefectAway as away:
            _log.warning("Case %s waits: %s", case_id, away)
        except RecordsError as error:
            _log.error("Case %s could not be woken: %s", case_id, error)
        return False

    async def attempt(self, case_id: str) -> bool:
        """The same, for a caller who wakes many and stops when the server is away.

        Raises:
            PrefectAway: the server does not answer.
            RecordsError: the records could not be read or written.
        """
        wish = await asyncio.to_thread(self._wish, case_id)
        return wish is None or not wish.wants_to_run or await self._tried(wish)

    async def _tried(self, wish: Wish) -> bool:
        """What Prefect refuses is tried again after a while, so that it keeps nobody else waiting."""
        try:
            return await self._seen_to(wish)
        except (PrefectRefused, NoDeployment, ManyDeadRuns) as error:
            _log.error("Case %s could not be woken: %s", wish.key, error)
            await self._told(wish)
            return False

    def _wish(self, case_id: str) -> Wish | None:
        with self._records.read() as tx:
            return wishes.of_case(tx, case_id)

    async def _seen_to(self, wish: Wish) -> bool:
        """One request in the ordinary case: the run is suspended, and is resumed."""
        if wish.state == State.CLOSED:
            return await self._dismiss(wish)
        run_id = _run_of(wish)
        if run_id is None:
            return await self._start(wish)
        answer = await self._runs.resume(run_id)
        if answer == "ACCEPT":
            return await self._told(wish)
        if answer == "REJECT":  # its deployment is gone, or its pause ran out: it never goes on
            return await self._start(wish)
        run = await self._runs.read(run_id)
        if run is not None and run.state == "PAUSED":  # it was suspended between the two requests
            return await self._runs.resume(run.id) == "ACCEPT" and await self._told(wish)
        verdict = Verdict.REPLACE if run is None else await self._judge(wish, run)
        return await self._start(wish) if verdict is Verdict.REPLACE else verdict is Verdict.DONE

    async def _dismiss(self, wish: Wish) -> bool:
        """Its case was withdrawn: the run that waits goes on, sees it, and ends; no other one is started."""
        run_id = _run_of(wish)
        run = None if run_id is None else await self._runs.read(run_id)
        if run is not None and run.state in WORKING:
            return False  # it may be about to suspend, or be dead: looked at again when it is neither
        if run is None or run.state != "PAUSED":
            return await self._told(wish)
        answer = await self._runs.resume(run.id)
        if answer == "REJECT":  # its deployment is gone: it never goes on
            await self._runs.force(run.id, "CANCELLED", "Its case was withdrawn.")
        return answer != "ABORT" and await self._told(wish)

    async def _judge(self, wish: Wish, run: Run) -> Verdict:
        """What is done about a run that could not be resumed."""
        if run.state in ENDED:
            return Verdict.REPLACE
        if run.state == "CANCELLED":
            return await self.hold(wish, run)
        if run.state == "SCHEDULED":
            return await self._judge_scheduled(wish, run)
        if run.state in WORKING and is_dead(wish, run):
            await self.bury(run)
            return await self.hold(wish, run) if run.state == "CANCELLING" else Verdict.REPLACE
        return Verdict.LATER  # it is starting or ending, or was suspended just now: looked at again

    async def _judge_scheduled(self, wish: Wish, run: Run) -> Verdict:
        """It waits for a worker, which may take long; no worker ever takes one whose deployment is gone."""
        late = run.age >= PATIENCE / 2
        if late and run.deployment_id and not await self._runs.has_deployment(run.deployment_id):
            await self._runs.force(run.id, "CRASHED", "Its deployment is gone; another one goes on.")
            return Verdict.REPLACE
        await self._told(wish)
        return Verdict.DONE

    async def _start(self, wish: Wish) -> bool:
        """A new run: two wakers make one, for both give it the same key."""
        key = f"{wish.case_id}:{wish.epoch}:{wish.attempts}"
        parameters = await asyncio.to_thread(self._parameters, wish)
        for _ in range(_TRIES):
            run = await self._create(wish, key, parameters)
            if run.state == "PAUSED":
                return await self._runs.resume(run.id) == "ACCEPT" and await self._told(wish)
            verdict = await self._judge(wish, run)
            if verdict is not Verdict.REPLACE:
                return verdict is Verdict.DONE
            key = f"{key}:{run.id[:8]}"  # that one was over before it took the case up: the next one's key
        raise ManyDeadRuns(count=_TRIES, key=wish.key, run=run.id)

    async def _create(self, wish: Wish, key: str, parameters: dict[str, Any]) -> Run:
        """Of the deployment its last run belonged to, or of the tagged one when there is none (any more)."""
        if wish.deployment_id is not None:
            new = NewRun(deployment_id=wish.deployment_id, parameters=parameters, idempotency_key=key)
            try:
                return await self._runs.create(new)
            except PrefectRefused as refused:
                if refused.data["status"] != HTTPStatus.NOT_FOUND:
                    raise
        tagged = await self._runs.tagged(tag_of(wish.kind))
        if not tagged:
            raise NoDeployment(key=wish.key, tag=tag_of(wish.kind))
        return await self._runs.create(
            NewRun(deployment_id=tagged[0], parameters=parameters, idempotency_key=key)
        )

    def _parameters(self, wish: Wish) -> dict[str, Any]:
        with self._records.read() as tx:
            return {**cases.get(tx, wish.case_id).parameters, "customer": wish.customer}

    async def bury(self, run: Run) -> None:
        """Say of a dead run that it is dead: only then are its slots free."""
        final = "CANCELLED" if run.state == "CANCELLING" else "CRASHED"
        await self._runs.force(run.id, final, _DIED)
        self.crashed.append(run.id)
        _log.warning("Run %s was %s and its process is gone: it is %s now.", run.name, run.state, final)

    async def hold(self, wish: Wish, run: Run) -> Verdict:
        """Cancel in the Prefect UI stops a case until somebody starts it again."""
        if await asyncio.to_thread(self._hold, wish, run):
            self.held.append(wish.key)
            _log.warning("Case %s is held: its run %s was cancelled.", wish.key, run.name)
        return Verdict.DONE

    def _hold(self, wish: Wish, run: Run) -> bool:
        with self._records.write() as tx:
            cases.lock(tx, wish.case_id)
            now = wishes.of_case(tx, wish.case_id)
            same = now is not None and (now.epoch, now.run_id) == (wish.epoch, wish.run_id)
            if now is None or not same or now.state not in {State.OPEN, State.WAITING}:
                return False
            failures.hold(tx, wish.case_id, f"run {run.name} was cancelled by an operator, unidentified")
            return True

    async def _told(self, wish: Wish) -> bool:
        await asyncio.to_thread(self._note, wish)
        return True

    def _note(self, wish: Wish) -> None:
        with self._records.write() as tx:
            wishes.told(tx, wish)


def _run_of(wish: Wish) -> str | None:
    """The run that worked on the case last; none when there was none, or it was no run of Prefect's."""
    return None if wish.run_id is None or wish.run_id.startswith("local-") else wish.run_id


def is_dead(wish: Wish, run: Run) -> bool:
    """Whether a run that Prefect believes to be at work certainly is not, for all the records say.

    Of an abandoned case: it began before its holder's last heartbeat, so it is the one whose process is gone;
    a later one is still on its way to the case. Otherwise time alone tells, by Prefect's clock.
    """
    if wish.is_abandoned and wish.lease_until is not None and run.since < wish.lease_until - LEASE:
        return True
    waited = wish.wake_at is None or wish.wake_at <= wish.now - PATIENCE / 2
    return run.age > PATIENCE and (wish.is_abandoned or run.state == "PENDING" or waited)
