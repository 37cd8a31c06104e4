"""What an agreement says of the exchange with the customer's ERP."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nakoming.agreement.metadata import ours
from nakoming.agreement.values import BlockName, Frozen, Minutes, Text, refusal

Exchanged = Literal["orders", "operations", "materials", "status_out", "hours_out", "materials_out"]
"""What is exchanged with an ERP, each by a data contract."""
_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
ContractFile = Annotated[
    str,
    # In a folder of its own: what lies beside the agreements is read as one of them.
    Text(
        rf"({_PART}/)+{_PART}\.ya?ml",
        "is not a contract's file",
        "a path in a folder below the agreements, such as contracts/fenwick/orders.yaml",
    ),
]


class Erp(Frozen):
    """The exchange with the customer's ERP."""

    sync_interval_minutes: Minutes = ours(5, "S-4.2.1", "How often transactions are exchanged.")
    connection: BlockName | None = Field(
        default=None, description="Block of the ERP; none: no database of it is reached."
    )
    inbox: BlockName | None = Field(
        default=None, description="Block of the folder into which the ERP puts files; none: it puts none."
    )
    suite: BlockName | None = Field(default=None, description="Block of the Suite's database.")
    contracts: dict[Exchanged, ContractFile] = Field(
        default_factory=dict,
        description="Data contracts of this ERP's own, where it differs: interface to file.",
    )

    @property
    def is_exchanged(self) -> bool:
        """Whether anything is exchanged: with the ERP's database, or by files."""
        return self.suite is not None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.connection is None and self.inbox is None) != (self.suite is None):
            raise refusal(
                "only one end of the exchange is named",
                "suite with connection, inbox or both, or none of them",
            )
        return self
