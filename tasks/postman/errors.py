"""What stands in the postman's way, each with its code."""

from __future__ import annotations

from nakoming.errors import NakomingError


class MailUncomposable(NakomingError):
    """The records do not hold what this mail needs: it is refused, and the operators are told."""

    template = "The mail {mail} ({kind}) cannot be made of the records: {reason}."
    code = "NK4050"


class ConnectionsUnknown(NakomingError):
    """The postman cannot learn from Prefect where to send mail."""

    template = (
        "The postman cannot read its connections from Prefect ({reason}); start the Prefect server, or set "
        "PREFECT_API_URL to the one that runs."
    )
    code = "NK4051"
