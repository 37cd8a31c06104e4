"""Which ports the embedded system takes, and what kind of worker it runs."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deployments.embedded.errors import EmbeddedSettingError, SamePortError

HOST = "127.0.0.1"
PREFIX = "NAKOMING_"


class Port(NamedTuple):
    """A port, what it is for, and the variable that chooses another."""

    number: int
    purpose: str
    variable: str


class Options(BaseSettings):
    """The choices of `nakoming up`; each can be set by a variable `NAKOMING_…`.

    The commands' own options are made of these fields, with these descriptions as their help.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    portal_port: int = Field(default=8460, ge=1, le=65535, description="Port of the portal on this machine.")
    prefect_port: int = Field(default=8461, ge=1, le=65535, description="Port of Prefect on this machine.")
    mailbox_port: int = Field(
        default=8462, ge=1, le=65535, description="Port of the mailbox page on this machine."
    )
    smtp_port: int = Field(
        default=8463, ge=1, le=65535, description="Port of the mail server on this machine."
    )
    worker: Literal["warm", "process"] = Field(
        default="warm", description="Kind of Prefect worker: warm or process."
    )

    @classmethod
    def of(cls, **chosen: Any) -> Self:
        """The variables' choices, and over them those that are not None.

        Raises:
            EmbeddedSettingError: a value is not allowed.
            SamePortError: two servers would take one port.
        """
        try:
            options = cls(**{name: value for name, value in chosen.items() if value is not None})
        except ValidationError as problem:
            raise _refusal(problem) from None
        for first, second in combinations(options.ports, 2):
            if first.number == second.number:
                raise SamePortError(port=first.number, first=first.purpose, second=second.purpose)
        return options

    @property
    def ports(self) -> tuple[Port, ...]:
        """All ports that the system takes."""
        return (
            Port(self.portal_port, "the portal", "NAKOMING_PORTAL_PORT"),
            Port(self.prefect_port, "the Prefect server", "NAKOMING_PREFECT_PORT"),
            Port(self.mailbox_port, "the mailbox page", "NAKOMING_MAILBOX_PORT"),
            Port(self.smtp_port, "the mail server", "NAKOMING_SMTP_PORT"),
        )


def _refusal(problem: ValidationError) -> EmbeddedSettingError:
    first = problem.errors()[0]
    name = str(first["loc"][0])
    allowed = "warm or process is allowed" if name == "worker" else "a port from 1 to 65535 is allowed"
    return EmbeddedSettingError(variable=f"{PREFIX}{name.upper()}", value=first["input"], allowed=allowed)
