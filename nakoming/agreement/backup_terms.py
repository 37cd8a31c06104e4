"""What an agreement says of the customer's backups: what is backed up, where to, and what alarms."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from nakoming.agreement.metadata import ours
from nakoming.agreement.values import BlockName, Days, Frozen, Hours, Percent, WholeNumber, refusal

FEWEST_GENERATIONS: Final = 2
Generations = Annotated[int, WholeNumber("verified backups", FEWEST_GENERATIONS, 366)]


class Backup(Frozen):
    """Backups (S-2.4.2 to S-2.4.7). How long they are kept stands under `retention.backup_days`."""

    database: BlockName | None = Field(
        default=None, description="Block of the database that is backed up; none: nothing is."
    )
    documents: BlockName | None = Field(
        default=None, description="Block of the folder of documents; none: the customer has none."
    )
    first_site: BlockName | None = Field(default=None, description="Block of the site that is written first.")
    second_site: BlockName | None = Field(
        default=None, description="Block of the site on another server (S-2.4.6)."
    )
    scratch: BlockName | None = Field(
        default=None, description="Block of the server on which a backup is restored to prove it."
    )
    documents_scratch: BlockName | None = Field(
        default=None,
        description="Block of the folder where documents are restored to prove them; none: the worker's own.",
    )
    shrink_percent: Percent = ours(
        Decimal(20), "S-2.4.7", "Loss of rows or bytes since the last backup that alarms."
    )
    drill_days: Days = ours(7, "S-2.4.7", "A backup is restored to prove it at least once in so many days.")
    alarm_after_hours: Hours = ours(36, "S-2.4.7", "Age of the newest proven backup that alarms.")
    verified_generations: Generations = ours(
        FEWEST_GENERATIONS, "S-2.4.7", "So many of the newest proven backups are never deleted."
    )

    @property
    def is_made(self) -> bool:
        """Whether this customer is backed up."""
        return self.database is not None

    @property
    def alarm_after(self) -> timedelta:
        """The age of the newest proven backup that alarms."""
        return timedelta(hours=self.alarm_after_hours)

    @model_validator(mode="after")
    def _all(self) -> Self:
        needed = {name: getattr(self, name) for name in ("database", "first_site", "second_site", "scratch")}
        missing = [name for name, block in needed.items() if block is None]
        named = len(missing) < len(needed) or self.documents is not None
        if named and missing:
            raise refusal(
                f"the backup lacks {', '.join(missing)}",
                "database, first_site, second_site and scratch together, with documents or without, or none",
            )
        return self

    @model_validator(mode="after")
    def _two_sites(self) -> Self:
        if self.first_site is not None and self.first_site == self.second_site:
            raise refusal(f"both sites are {self.first_site!r}", "a second site on another server (S-2.4.6)")
        return self
