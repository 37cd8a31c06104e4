"""The block of a machine that is worked on over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.blocks.core import Block

from blocks.command import DEFAULT_GRACE, DEFAULT_OUTPUT_LIMIT
from blocks.ssh_address import SshAddress
from blocks.ssh_errors import fingerprint

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path

    from blocks.command_result import CommandResult


class SshHost(SshAddress, Block):
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
