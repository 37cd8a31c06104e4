"""What every connection to an ERP's database may be told: how long, how often, how it is read."""

from __future__ import annotations

import codecs
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, Field

from blocks.erp.errors import ErpSettingInvalid, ErpUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from blocks.erp.session import Bounds

T = TypeVar("T")


def _known_zone(name: str) -> str:
    with suppress(ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(name).key
    raise ErpSettingInvalid(reason=f"{name!r} is no time zone; Europe/Amsterdam and UTC are")


def _known_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError as error:
        raise ErpSettingInvalid(reason=f"{name!r} is no encoding; utf-8 and cp1252 are") from error
    return name


class Limits(BaseModel):
    """Fields that the connections share; not a block itself."""

    connect_timeout: timedelta = Field(
        default=timedelta(seconds=15), gt=timedelta(0), description="How long connecting may take."
    )
    statement_timeout: timedelta = Field(
        default=timedelta(minutes=5), gt=timedelta(0), description="How long one statement may take."
    )
    lock_timeout: timedelta = Field(
        default=timedelta(seconds=10),
        gt=timedelta(0),
        description="How long is waited for what somebody else holds.",
    )
    attempts: int = Field(default=3, ge=1, le=10, description="How often connecting is tried, in all.")
    first_pause: timedelta = Field(
        default=timedelta(seconds=1),
        gt=timedelta(0),
        description="Pause before the second try to connect; it doubles each time.",
    )
    chunk_rows: int = Field(default=10_000, ge=1, le=1_000_000, description="Rows that are read at once.")
    encoding: Annotated[str, AfterValidator(_known_encoding)] = Field(
        default="utf-8", description="Encoding of its text, where the ERP's database does not know it itself."
    )
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="UTC", description="Time zone of the instants that the ERP keeps without one."
    )
    key_table: str | None = Field(
        default="suite_keys",
        description="Its table of idempotency keys (external_key, at), used when it stands there.",
    )

    def bounds(self) -> Bounds:
        """The same for a session."""
        # Imported here: SQLAlchemy takes a third of a second, and whoever only loads a block needs none.
        from blocks.erp.session import Bounds

        return Bounds(
            statement=self.statement_timeout,
            lock=self.lock_timeout,
            chunk_rows=self.chunk_rows,
            encoding=self.encoding,
            zone=ZoneInfo(self.time_zone),
            key_table=self.key_table,
        )

    def patiently(self, opened: Callable[[], T], pause: Callable[[float], object]) -> T:
        """Connect, and when nobody answers try again after a pause that doubles.

        A refused login is not tried again: that would lock the account.

        Raises:
            ErpUnreachable: the last try failed too.
        """
        for attempt in range(self.attempts - 1):
            with suppress(ErpUnreachable):
                return opened()
            pause(self.first_pause.total_seconds() * 2**attempt)
        return opened()
