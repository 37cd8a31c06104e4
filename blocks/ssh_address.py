"""Where a machine behind SSH is, which key it must show, and how we log in: fields that blocks share."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, Field, model_validator

from blocks.secrets import SecretReference, resolve
from blocks.ssh_errors import HostKeyInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from blocks.ssh_session import SshSession

_KEY_TYPE = re.compile(r"ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)")


def _checked_host_key(given: str) -> str:
    words = given.split()
    try:
        kind, data = words[0], b64decode(words[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise HostKeyInvalid(given=given) from error
    # The key's own first field repeats its type, behind a length of four bytes.
    if not _KEY_TYPE.fullmatch(kind) or data[4 : 4 + len(kind)] != kind.encode():
        raise HostKeyInvalid(given=given)
    return f"{kind} {words[1]}"


class SshAddress(BaseModel):
    """A machine known by its pinned host key; not a block itself."""

    host: str = Field(min_length=1, description="Name or address of the machine.")
    port: int = Field(default=22, ge=1, le=65535, description="Port of its SSH server.")
    username: str = Field(min_length=1, description="Account that logs in.")
    host_key: Annotated[str, AfterValidator(_checked_host_key)] = Field(
        description="Pinned public key of the machine: type and base64 text, as ssh-keyscan prints them."
    )
    private_key: SecretReference | None = Field(
        default=None, description="Where the private key lies: env:NAME or file:path."
    )
    passphrase: SecretReference | None = Field(
        default=None,
        description="Where the private key's passphrase lies, if it has one: env:NAME or file:path.",
    )
    password: SecretReference | None = Field(
        default=None,
        description="Where the password lies, for an account without key: env:NAME or file:path.",
    )
    connect_timeout: timedelta = Field(
        default=timedelta(seconds=15), gt=timedelta(0), description="How long connecting may take."
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.private_key is None) == (self.password is None):
            raise ValueError("give either private_key or password")
        return self

    @contextmanager
    def session(self) -> Iterator[SshSession]:
        """Open a connection for several commands and files; errors as of `blocks.ssh_connect.connect`."""
        # Imported here: paramiko and cryptography take a third of a second, and most flows need neither.
        from blocks.ssh_connect import connect

        with connect(
            host=self.host,
            port=self.port,
            username=self.username,
            host_key=self.host_key,
            private_key=None if self.private_key is None else resolve(self.private_key),
            passphrase=None if self.passphrase is None else resolve(self.passphrase),
            password=None if self.password is None else resolve(self.password),
            timeout=self.connect_timeout,
        ) as session:
            yield session
