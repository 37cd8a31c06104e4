"""What a restore in a calamity refuses, and why a ledger in a database says nothing."""

from __future__ import annotations

from nakoming.errors import NakomingError


class EngineNotSwitched(NakomingError):
    """There is no way to put another database in the place of such a one."""

    template = (
        "The database {block} of {customer} is of the kind {engine}, whose place no restored one can take "
        "here; allowed: postgresql, sqlite. Restore it by hand."
    )
    code = "NK5620"


class NoGoodCopy(NakomingError):
    """No site gave a good copy of a backup, and one of them could not be asked."""

    template = "No good copy of {set_id} of {customer} was found now: {reason}."
    code = "NK5621"


class LedgerSilent(NakomingError):
    """The ledger of ERP transactions cannot be read."""

    template = "The ledger of ERP transactions cannot be read: {reason}."
    code = "NK5622"


class NobodyDecides(NakomingError):
    """No officer of the customer may choose."""

    template = (
        "Nobody at {customer} may choose a backup on {on}; allowed: a person with the role representative or "
        "management, or a deputy of one."
    )
    code = "NK5623"
