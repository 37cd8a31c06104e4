"""What can go wrong in the exchange with an ERP, beside what the connections and contracts say."""

from __future__ import annotations

from blocks.erp.errors import ErpError
from nakoming.errors import NakomingError


class ExchangeError(NakomingError):
    """Something of the exchange with an ERP."""

    code = "NK7300"


class NoErp(ExchangeError):
    """A customer whose agreement names no ERP."""

    template = (
        "The agreement of '{customer}' names no connection to an ERP; set erp.suite, and erp.connection or "
        "erp.inbox, to the names of their blocks."
    )
    code = "NK7301"
    exit_status = 2


class BatchRefused(ExchangeError):
    """Too many bad rows: nothing of the batch was loaded."""

    template = (
        "{bad} of {rows} rows of {interface} are bad, more than the {limit} that its data contract allows; "
        "nothing of the batch was loaded. Most of them: {reason}"
    )
    code = "NK7302"


class SchemaDrifted(ExchangeError):
    """The ERP's table is not what the contract says."""

    template = "{interface} is no longer what its data contract says, and nothing was loaded: {changes}"
    code = "NK7303"


class OtherRunLoads(ExchangeError):
    """Another run moved the watermark in the meantime."""

    template = "Another run loads {interface} of '{customer}' at this instant; this one stops here."
    code = "NK7304"


class UnknownInterface(ExchangeError):
    """A name that no data contract has."""

    template = "There is no interface '{interface}'; allowed: {allowed}."
    code = "NK7305"
    exit_status = 2


class UnknownEntry(ExchangeError):
    """A quarantined row, or a dead letter, that is not there or not waiting."""

    template = (
        "{kind} {number} of '{customer}' does not wait for a decision; `nakoming erp status` lists what does."
    )
    code = "NK7306"
    exit_status = 2


class EndMissing(ErpError):
    """A block that the agreement names is not there: as good as an ERP that does not answer."""

    template = "{reason}"
    code = "NK7311"


class TooManyGone(ExchangeError):
    """So many rows vanished at the ERP that something else is wrong: nothing is removed."""

    template = (
        "{gone} of {known} rows of {interface} are no longer at the ERP, more than {limit}; nothing was "
        "removed. If that is right, remove them in the Suite, or replace the ERP's table in parts."
    )
    code = "NK7309"


class RepairRefused(ExchangeError):
    """A repair of a column that is not there."""

    template = "The rows of {interface} have no column '{column}'; allowed: {allowed}."
    code = "NK7350"
    exit_status = 2


class OverviewUnequal(ExchangeError):
    """A workbook whose counts or sums are not the ledger's."""

    template = (
        "The overview is not what the ledger holds ({difference}); nothing was delivered. Write it again, "
        "and tell the developers if it stays so."
    )
    code = "NK7351"


class PeriodInvalid(ExchangeError):
    """A period that ends before it begins, or has not begun."""

    template = "There is no overview from {first_on} to {last_on}: {reason}."
    code = "NK7352"
    exit_status = 2
