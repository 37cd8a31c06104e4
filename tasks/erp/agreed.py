"""The data contracts by which a customer exchanges: as they were when the case was opened (S-4.2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.records import agreements, cases
from tasks.erp.interfaces import interface

if TYPE_CHECKING:
    from nakoming.records.store import Records
    from tasks.case_run import CaseRun
    from tasks.erp.interfaces import Contracts, Interface
    from tasks.steps import Work


def contracts_of(work: Work | CaseRun) -> Contracts:
    """The customer's own contracts, in the version of its agreement that the case was opened with."""
    with work.records.read() as tx:
        version = cases.get(tx, work.lease.case_id).agreement_version
        return agreements.contracts(tx, work.customer, version)


def contracts_in_force(records: Records, customer: str) -> Contracts:
    """The customer's own contracts as they are now."""
    with records.read() as tx:
        return agreements.contracts(tx, customer)


def interface_of(work: Work, name: str) -> Interface:
    """An interface as the case's customer has it."""
    return interface(name, contracts_of(work))
