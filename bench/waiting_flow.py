"""The flow that is woken: thirty finished steps, a question to an officer, one step more."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.client.schemas.objects import State  # noqa: TC002 - Prefect reads the annotations for its form

from bench.stamps import mark
from nakoming.agreement.gate_rules import Kind, Verb
from tasks import ledger
from tasks.process import Process, run_process
from tasks.questions import desk_of
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun

KIND = "bench"
QUESTION = "question"
STEPS_BEFORE = 30


@flow(name="bench-waits", flow_run_name="{customer} {subject}", retries=0, persist_result=False)
def bench_waits(customer: str, subject: str) -> State[Any]:
    """Wait for an officer's answer, then make a step."""
    mark("first line")
    return run_process(PROCESS, customer=customer, subject=subject, parameters={"subject": subject})


def walk(case: CaseRun) -> str:
    """The thirtieth of the steps is the question itself."""
    mark("entered")
    case.agreement()  # as every process does before its first line of work
    for number in range(1, STEPS_BEFORE):
        case.record(f"before/{number}/noted", partial(_noted, number))
    case.ask(QUESTION, lambda tx: question(tx, case))
    answer = case.answer(QUESTION)
    mark("answer taken")
    return case.do("after/1/step", next_step, by=answer.decided_by[0])


def _noted(number: int, tx: Tx) -> str:
    del tx
    return f"what step {number} found"


def question(tx: Tx, case: CaseRun) -> GateSpec:
    """A question in real words, to real roles, with a deadline, reminders and an escalation ladder."""
    here = desk_of(tx, case)
    words = {
        "reference": case.case.subject,
        "title": "Leverweek op orders",
        "description": "–",
        "requester": "joost.smit@brouwer-plaatwerk.example",
        "customer_name": here.terms.name,
    }
    return here.gate(
        QUESTION,
        Kind.APPROVAL,
        here.customer_seats("functional_administrator"),
        "intake",
        words,
        verbs=(Verb.APPROVE, Verb.REFUSE),
        due=here.their_right("lead_times.intake_confirmation"),
        label=f"{case.key}: is this request yours?",
    )


@step(doubt=repeat("it changes nothing"), timeout=timedelta(seconds=10))
def next_step(work: Work, *, by: str) -> str:
    """The effect comes after the intent and after Prefect's node for it."""
    mark("effect")
    return f"{work.name} after {by}"


def _stamped_begin(attempt: ledger.Attempt, given: str) -> Any:
    begun = _begin(attempt, given)
    mark("intent")  # its transaction has committed
    return begun


_begin, ledger.Attempt.begin = ledger.Attempt.begin, _stamped_begin  # type: ignore[method-assign]
PROCESS = Process(kind=KIND, revision=1, walk=walk)
