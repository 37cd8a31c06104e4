"""What keeps the records database from being opened, as one sentence instead of a driver's words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ClassVar, Final

from nakoming.errors import NakomingError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import URL

_KNOWN: Final = ("sqlite", "postgresql")
_SHOWN: Final = 300


class RecordsAway(NakomingError):
    """The database does not answer, or is none."""

    template: ClassVar[str] = (
        "The records database {place} cannot be opened ({reason}): see that it runs and takes us, "
        "and that NAKOMING_RECORDS_URL is right."
    )
    code: ClassVar[str] = "NK7103"


class RecordsAddressWrong(UsageError):
    """The setting names no database that can hold records. Its value may hold a password and is not shown."""

    template: ClassVar[str] = (
        "NAKOMING_RECORDS_URL names no database that can hold records; "
        "allowed: sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME."
    )
    code: ClassVar[str] = "NK7104"


def explained(problem: Exception) -> NakomingError | None:
    """The sentence for what was raised while the records were opened; none for a fault of ours."""
    if "sqlalchemy" not in sys.modules:  # nobody tried, and importing it takes 0.2 s
        return None
    from sqlalchemy.exc import DBAPIError

    address = _address()
    if address is None:
        return RecordsAddressWrong()
    # An error with a statement came later, from a database that was opened.
    if not isinstance(problem, DBAPIError) or problem.statement is not None:
        return None
    said = " ".join(str(problem.orig).split()).rstrip(".")[:_SHOWN]
    return RecordsAway(place=address.render_as_string(hide_password=True), reason=said)


def _address() -> URL | None:
    """The address that is set; none when it is none of a database that we know."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    from nakoming.settings import Settings

    try:
        address = make_url(Settings().records_url)
        address.get_driver_name()
    except (ArgumentError, ValueError):
        return None
    return address if address.get_backend_name() in _KNOWN else None
