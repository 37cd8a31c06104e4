"""Plays the exchange with the customer's ERP: everything, a day on the shop floor, what changed, both sides.

Each part is done once: exchanges are cases that are joined by their subject, and people look before they act.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from demo import exchange_ends
from demo.erp import play as erp
from demo.erp.making import sown
from demo.play.board import Board
from demo.play.errors import CaseStoppedError, ExchangeEndedError, NothingMovesError
from demo.play.exchange_summary import Summed, as_table, noted, summed
from demo.play.proving import suite_address
from demo.play.shop_floor import WORKERS, ShopFloor
from demo.play.starting import EXCHANGE, Operator
from demo.play.watching import Watch
from nakoming.agreement.local_time import local_date
from nakoming.records import steps
from nakoming.records.cases import State

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from demo.play.watching import Look
    from demo.play.web import Browser
    from deployments.embedded.system import System
    from nakoming.records.cases import Case
    from nakoming.records.store import Records

KIND: Final = "erp_sync"
GOOD: Final = {"full": "exchanged", "incremental": "exchanged", "compare": "both sides are equal"}
"""How the case of each mode ends when all is well."""
STAGES: Final = {
    "full": "Everything from the ERP",
    "shop-floor": "Shop floor",
    "incremental": "What changed",
    "compare": "Both sides compared",
    "overview": "Overview",
}
CHANGED_ORDERS: Final = 40
SEED: Final = 3
WORKED_ON: Final = ("BR-2026-0010", "BR-2026-0012")
BEGUN: Final = "BR-2026-0014"
LOOK_AGAIN_SECONDS: Final = 0.2
PATIENCE_SECONDS: Final = 300.0
"""Longer than the longest step on a busy machine: a whole table of the ERP is loaded in one transaction."""


@dataclass(frozen=True)
class Ended:
    """A case that ended well, and what its steps gave, by name."""

    case: Case
    outputs: dict[str, Any]


def play_exchange(system: System, records: Records, browser: Browser, console: Console) -> Summed:
    """Play it, or go on with it, and print what came of it.

    Raises:
        ExchangeEndedError: an exchange did not end well.
        HeldBackError: other rows are held back than were sown.
        NakomingError: something kept it from its end, see `demo.play.errors`.
    """
    return _Exchange(system, records, browser, console).run()


class _Exchange:
    def __init__(self, system: System, records: Records, browser: Browser, console: Console) -> None:
        self._system = system
        self._records = records
        self._console = console
        self._board = Board(console, STAGES)
        self._operator = Operator(browser, system.prefect_url)

    def run(self) -> Summed:
        root = self._system.home.demo
        before = noted(self._note)
        if before is not None:
            self._board.say("The exchange with the ERP has been played before; this is what happened.")
            self._console.print(as_table(before))
            return before
        with self._board.shown():
            full = self._exchanged("full")
            self._board.enter("shop-floor")
            changed = self._worked(root)
            incremental = self._exchanged("incremental")
            compared = self._exchanged("compare")
            self._board.enter("overview")
            found = summed(self._records, root, full, incremental, compared, changed)
        found.keep(self._note)
        self._console.print(as_table(found))
        return found

    @property
    def _note(self) -> Path:
        """Where the figures are kept."""
        return self._system.home.path / "demo-exchange.json"

    def _exchanged(self, mode: str) -> Ended:
        """Have an exchange of this mode that ended well; after a failed one the next has a new name."""
        attempt = 1
        while True:
            subject = f"demo-{mode}" if attempt == 1 else f"demo-{mode}-{attempt}"
            watch = Watch(self._records, exchange_ends.CUSTOMER, subject, KIND)
            before = watch.look().case
            if before is None or before.state != State.CLOSED:
                return self._checked(mode, self._until_closed(watch, mode))
            if before.outcome == GOOD[mode]:
                return self._checked(mode, before)
            attempt += 1

    def _checked(self, mode: str, case: Case) -> Ended:
        with self._records.read() as tx:
            done = steps.finished(tx, case.id, case.customer)
        outputs = {name: output for name, (_, output) in done.items()}
        if case.outcome != GOOD[mode]:
            said = [each.get("refused") or each.get("down") for each in outputs.values() if _is_told(each)]
            why = f": {' '.join(filter(None, said))}".rstrip(".: ")
            url = self._system.prefect_url
            raise ExchangeEndedError(key=case.key, outcome=case.outcome, why=why, url=url)
        return Ended(case, outputs)

    def _until_closed(self, watch: Watch, mode: str) -> Case:
        """Start the exchange, replace a run that died before it opened the case, and look until the end."""
        run, attempt, moved_at, mark = "", 0, time.monotonic(), None
        while not (look := watch.look()).is_closed or look.case is None:
            if look.case is None and (not run or self._operator.has_ended(run)):
                attempt += 1
                given = {"customer": watch.customer, "mode": mode, "subject": watch.reference}
                run = self._operator.start(EXCHANGE, given, f"demo/{KIND}/{watch.reference}/{attempt}")
                self._board.say(f"An operator starts the exchange ({mode}): {self._operator.address(run)}")
            self._board.enter(mode, look.waits or tuple(filter(None, (look.doing,))))
            if look.mark != mark:
                mark, moved_at = look.mark, time.monotonic()
            self._check(watch, look, run, time.monotonic() - moved_at)
            time.sleep(LOOK_AGAIN_SECONDS)  # until the case has moved, which the next look shows
        return look.case

    def _check(self, watch: Watch, look: Look, run: str, still: float) -> None:
        key, logs = f"{KIND}/{watch.customer}/{watch.reference}", self._system.home.logs
        if look.case is not None and look.case.state == State.STUCK:
            why = (look.case.last_error or "it failed too often").rstrip(".")
            raise CaseStoppedError(key=key, state=look.state, why=why, logs=logs)
        if still > PATIENCE_SECONDS:
            what, url = f"{key} is {look.state}", self._operator.address(look.run or run)
            raise NothingMovesError(seconds=PATIENCE_SECONDS, what=what, logs=logs / "worker.log", url=url)

    def _worked(self, root: Path) -> tuple[str, ...]:
        """A day on the shop floor, and the orders that changed at the ERP; the first one on both sides."""
        note = root / "erp" / "changed.json"
        if note.exists():
            return tuple(json.loads(note.read_text(encoding="utf-8")))
        with self._records.read() as tx:
            today = local_date(tx.now)
        floor = ShopFloor(suite_address(root, exchange_ends.CUSTOMER, "production"), today)
        closed = sown().closed[0]
        for number, worker in zip((*WORKED_ON, closed), WORKERS, strict=True):
            floor.register_hours(number, worker)
            self._board.say(f"{worker} registers hours on order {number}")
        floor.register_material(WORKED_ON[0])
        floor.begin(BEGUN)
        self._board.say(f"Material is used for order {WORKED_ON[0]}; order {BEGUN} is started")
        address = exchange_ends.erp_address(root)
        renamed = erp.drawn(address, CHANGED_ORDERS, SEED)[0]
        floor.rename(renamed)
        changed = erp.change(address, CHANGED_ORDERS, SEED)
        self._board.say(
            f"Order {renamed} is renamed in the Suite; the ERP changes it and {len(changed) - 1} more"
        )
        draft = note.with_suffix(".draft")
        draft.write_text(json.dumps(changed), encoding="utf-8")
        draft.replace(note)
        return changed


def _is_told(output: Any) -> bool:
    return isinstance(output, dict) and bool(output.get("refused") or output.get("down"))
