"""Plays the demo on a running system: a request for change to production, then the exchange with the ERP."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING

from demo.play import proving, script
from demo.play.board import Board
from demo.play.errors import CaseStoppedError, NothingMovesError, OtherOutcomeError
from demo.play.exchange import play_exchange
from demo.play.mail import MailReader
from demo.play.officers import Office, Officer
from demo.play.starting import STREET, Operator
from demo.play.summary import as_table, summarise
from demo.play.watching import KIND, Watch
from demo.play.web import Browser
from nakoming.errors import NakomingError
from nakoming.records.cases import State
from nakoming.records.store import Records

if TYPE_CHECKING:
    from rich.console import Console

    from demo.play.summary import Summary
    from demo.play.watching import Look
    from deployments.embedded.system import System
    from nakoming.records.cases import Case

LOOK_AGAIN_SECONDS = 0.2
PATIENCE_SECONDS = 120.0
"""Longer than the longest thing that may pass unseen: a lease, a restart and a test run after each other."""

OUTCOME = "in production"


def play(system: System, *, wait: bool, console: Console) -> int:
    """Play the request and then the exchange, or go on with them.

    What keeps it from its end is said in one sentence, see `demo.play.errors`.

    Args:
        system: the embedded system, which runs.
        wait: whether it stays up afterwards; only said, not done here.
        console: where progress and the table go.

    Returns:
        The exit status: 0 when the request is in production and both sides of the exchange are equal.
    """
    records = Records.from_settings(system.settings)
    status = 0
    try:
        with Browser() as browser:
            _Play(system, records, browser, console).run()
    except NakomingError as problem:
        console.print(f"{problem} [{problem.code}]", markup=False, highlight=False, soft_wrap=True)
        status = problem.exit_status
    finally:
        records.engine.dispose()
    if wait:
        console.print("The system stays up until Ctrl-C.")
    return status


class _Play:
    def __init__(self, system: System, records: Records, browser: Browser, console: Console) -> None:
        self._system = system
        self._records = records
        self._browser = browser
        self._console = console
        self._board = Board(console)
        self._request = script.read_request()
        self._watch = Watch(records, script.CUSTOMER, self._request["reference"])
        self._operator = Operator(browser, system.prefect_url)
        self._started = ""
        self._attempt = 0
        self._moved_at = time.monotonic()
        self._mark: object = None

    def run(self) -> None:
        """Play, prove, tell."""
        look = self._watch.look()
        if look.is_closed:
            self._board.say(f"{self._key} has been played before; this is what happened.")
        else:
            with self._board.shown():
                look = self._until_closed(look)
        case = look.case
        if case is None or case.outcome != OUTCOME:
            raise OtherOutcomeError(key=self._key, outcome=case.outcome if case else "–")
        self._tell(case)
        play_exchange(self._system, self._records, self._browser, self._console)
        proving.check_evidence(self._records)
        self._addresses()

    @property
    def _key(self) -> str:
        return f"{KIND}/{script.CUSTOMER}/{self._request['reference']}"

    def _until_closed(self, look: Look) -> Look:
        if look.case is not None:
            self._board.say(f"{self._key} is under way ({look.state}); the play goes on with it.")
        mail = MailReader(self._browser, self._system.mailbox_url)
        portal = self._system.portal_url
        officers = [Officer(name, address, portal) for name, address in self._watch.officers()]
        with closing(Office(officers, mail)) as office:
            while not look.is_closed or look.unsent:  # the last mails tell the customer that it is done
                if not look.is_closed:
                    self._keep_started(look)
                for decided in office.work(self._request, look.today):
                    self._board.decided(decided)
                    self._moved_at = time.monotonic()
                time.sleep(LOOK_AGAIN_SECONDS)  # until the case has moved, which the next look shows
                look = self._watch.look()
                self._board.show(look)
                self._check_moving(look, office)
        return look

    def _keep_started(self, look: Look) -> None:
        """Start the street where no case is, or an operator's hold ended it; a run that died is replaced.

        Once the case is open, its runs are the reconciler's care.
        """
        if look.case is not None and look.case.state != State.HELD:
            return
        if self._started and not self._operator.has_ended(self._started):
            return
        self._attempt += 1
        key = f"demo/{self._key}/{look.runs}/{self._attempt}"
        self._started = self._operator.start(STREET, script.parameters(self._request), key)
        self._board.say(f"An operator starts the street: {self._operator.address(self._started)}")

    def _check_moving(self, look: Look, office: Office) -> None:
        if look.case is not None and look.case.state == State.STUCK:
            why = look.case.last_error or "it failed too often"
            logs = self._system.home.logs
            raise CaseStoppedError(key=self._key, state=look.state, why=why.rstrip("."), logs=logs)
        mark = (look.mark, office.mail.total)
        if mark != self._mark:
            self._mark, self._moved_at = mark, time.monotonic()
        elif time.monotonic() - self._moved_at > PATIENCE_SECONDS:
            raise self._nothing_moves(look, office)

    def _nothing_moves(self, look: Look, office: Office) -> NothingMovesError:
        log, why = "worker.log", ""
        if office.unknown:
            why = f", and nobody knows an answer to '{office.unknown[-1]}'"
        elif look.unsent:
            log, why = "postman.log", f", and {look.unsent} mails are not sent"
        elif look.waits:
            log, why = "portal.log", f" for {'; '.join(look.waits)}"
        elif look.case is not None and look.case.wake_at is not None:
            log, why = "reconciler.log", ", and no run has taken it up"
        return NothingMovesError(
            seconds=PATIENCE_SECONDS,
            what=f"{self._key} is {look.state}{why}",
            logs=self._system.home.logs / log,
            url=self._operator.address(look.run or self._started),
        )

    def _tell(self, case: Case) -> None:
        summary = summarise(self._records, case)
        self._console.print(as_table(summary))
        production = proving.suite_address(self._system.home.demo, script.CUSTOMER, "production")
        orders = proving.check_production(self._browser, production)
        proving.check_evidence(self._records)
        self._note(summary)
        self._console.print(
            f"Production shows '{proving.HEADING}' on all {orders} orders; the evidence verifies; "
            f"{summary.mails} mails; {summary.seconds:.0f} seconds from request to production."
        )

    def _addresses(self) -> None:
        production = proving.suite_address(self._system.home.demo, script.CUSTOMER, "production")
        acceptance = proving.suite_address(self._system.home.demo, script.CUSTOMER, "acceptance")
        shown = {
            "Prefect UI": self._system.prefect_url,
            "Portal": self._system.portal_url,
            "Mailboxes": self._system.mailbox_url,
            "The customer's Suite, production": production,
            "The customer's Suite, acceptance": acceptance,
        }
        for name, address in shown.items():
            self._console.print(f"  {name + ':':<34}{address}", highlight=False, soft_wrap=True)

    def _note(self, summary: Summary) -> None:
        """Keep the figures in `demo.json` of the home."""
        path = self._system.home.path / "demo.json"
        path.write_text(json.dumps(summary.as_data(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
