"""A request for change as it came in, and what every stage says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nakoming.records import agreements
from tasks import notices

if TYPE_CHECKING:
    from nakoming.records.cases import Case
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for; `requester` is the address of whoever asked."""

    kind: str
    customer: str
    reference: str
    title: str
    description: str
    requester: str
    documents: tuple[str, ...]
    build_command: str
    test_command: str
    words: dict[str, str] = field(default_factory=dict)

    @property
    def is_problem(self) -> bool:
        """Whether this is a problem (S-2.2.25): no judgement, no quote, no acceptance."""
        return self.kind == "problem"

    @property
    def label(self) -> str:
        """How the Prefect UI names it."""
        return f"{self.customer} {self.reference}"


def request_of(case: CaseRun) -> Request:
    """The request of a case, as it was stored when the case was opened."""
    with case.records.read() as tx:
        return request_from(tx, case.case)


def request_from(tx: Tx, case: Case) -> Request:
    """The same, of a case that nobody works on."""
    given = case.parameters
    name = agreements.get(tx, case.customer, case.agreement_version).name
    words = {
        "reference": given["reference"],
        "title": given["title"],
        "description": given["description"] or "–",
        "requester": given["requester"],
        "customer_name": name,
    }
    return Request(
        kind=given["kind"],
        customer=case.customer,
        reference=given["reference"],
        title=given["title"],
        description=given["description"],
        requester=given["requester"],
        documents=tuple(given["documents"]),
        build_command=given["build_command"],
        test_command=given["test_command"],
        words=words,
    )


def tell(
    case: CaseRun, name: str, words: str, values: dict[str, str] | None = None, *, roles: tuple[str, ...] = ()
) -> None:
    """Tell the customer's officers something of this request, once."""
    notices.tell(case, name, words, request_of(case).words | (values or {}), roles=roles)
