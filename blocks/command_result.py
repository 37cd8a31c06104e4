"""How a command ended, here or on another machine, and what can be said when it did not end well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from datetime import timedelta


class CommandMissing(NakomingError):
    """There is no such program."""

    template = "Command {program!r} was not found{where}; give the path of a program that exists."
    code = "NK5000"


class CommandNotExecutable(NakomingError):
    """The file is there but cannot be run."""

    template = "Command {program!r} cannot be executed{where}: {reason}."
    code = "NK5001"


class WorkingFolderMissing(NakomingError):
    """The folder to run in is not there."""

    template = (
        "The working folder {folder!r} of command {program!r} does not exist{where} or may not be entered."
    )
    code = "NK5002"


class CommandFailed(NakomingError):
    """The command ran and said no. `data` holds program, exit_code and output."""

    template = (
        "Command {program!r} ended with exit code {exit_code}; 0 is expected. Its last line: {last_line}"
    )
    code = "NK5003"


class CommandTimedOut(NakomingError):
    """The command was ended by us. `data` holds program, seconds and output."""

    template = (
        "Command {program!r} was ended because it took longer than {seconds:g} s. Its last line: {last_line}"
    )
    code = "NK5004"


class CommandLost(NakomingError):
    """What became of the command is not known: its launcher was killed."""

    template = "It is not known how command {program!r} ended: the process that watched it disappeared."
    code = "NK5005"


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """How a command ended.

    Attributes:
        program: the first word of the command.
        exit_code: its exit status; minus the number of the signal when one ended it (over SSH: 128 plus it).
        output: standard output and standard error in the order written, bounded, without secrets.
        duration: from start to end.
        timed_out: whether we ended it because its time was up.
        limit: the time it was allowed.
    """

    program: str
    exit_code: int
    output: str
    duration: timedelta
    timed_out: bool
    limit: timedelta

    @property
    def last_line(self) -> str:
        """The last line of the output that is not blank, or a dash."""
        return next((line.strip() for line in reversed(self.output.splitlines()) if line.strip()), "–")

    def expect_success(self) -> CommandResult:
        """Return this result when the command succeeded.

        Raises:
            CommandTimedOut: we ended it.
            CommandFailed: its exit code was not 0.
        """
        data: dict[str, Any] = {
            "program": self.program,
            "output": self.output,
            "last_line": self.last_line[:500],
            "exit_code": self.exit_code,
        }
        if self.timed_out:
            raise CommandTimedOut(seconds=self.limit.total_seconds(), **data)
        if self.exit_code != 0:
            raise CommandFailed(**data)
        return self
