"""The block of a machine that is worked on over SSH."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from prefect.blocks.core import Block
from pydantic import AfterValidator, Field, model_validator

from blocks.command import DEFAULT_GRACE, DEFAULT_OUTPUT_LIMIT
from blocks.secrets import SecretReference, resolve
from blocks.ssh_errors import HostKeyInvalid, fingerprint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from blocks.command_result import CommandResult
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


class SshHost(Block):
    """A machine on which commands run over SSH, known by its pinned host key.

    No key is ever accepted because it is new: what `host_key` does not name is refused before the login.
    Commands end with the connection: when this process is killed or the line is cut, the far side ends them.

    Example:
        Run a command on a stored machine:
        ```python
        from datetime import timedelta

        from blocks.ssh import SshHost

        machine = SshHost.load("BLOCK_NAME")
        machine.run(["uptime"], timeout=timedelta(seconds=30)).expect_success()
        ```
    """

    _block_type_name = "SSH Host"
    _block_type_slug = "ssh-host"

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

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: timedelta,
        env: Mapping[str, str] | None = None,
        cwd: str = ".",
        output_limit: int = DEFAULT_OUTPUT_LIMIT,
        grace: timedelta = DEFAULT_GRACE,
        secrets: Collection[str] = (),
    ) -> CommandResult:
        """Run one command there; arguments as in `blocks.command.run_command`.

        Variables travel inside the connection, never in a command line that others there can see. An exit
        code above 128 is 128 plus the signal that ended the command.
        """
        with self.session() as session:
            return session.run(
                argv,
                timeout=timeout,
                env=env or {},
                cwd=cwd,
                output_limit=output_limit,
                grace=grace,
                secrets=secrets,
            )

    def put(self, path: Path, remote: str) -> str:
        """Send a file and return its SHA-256, which what was read back from there has too."""
        with self.session() as session:
            return session.put(path, remote)

    def sha256(self, remote: str) -> str:
        """Return the SHA-256 of a file there, as hexadecimal."""
        with self.session() as session:
            return session.sha256(remote)

    def check(self) -> tuple[str, ...]:
        """Connect, log in and run a command; returns what was found, one sentence each.

        Raises:
            NakomingError: the first thing that is wrong.
        """
        self.run(["true"], timeout=self.connect_timeout).expect_success()
        return (
            f"{self.host}:{self.port} shows the pinned key {fingerprint(self.host_key)}.",
            f"{self.username} can log in there and run commands.",
        )
