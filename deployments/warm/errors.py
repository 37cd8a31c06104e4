"""What can go wrong between a warm worker, its forkservers and their children."""

from __future__ import annotations

from nakoming.errors import NakomingError


class ForkserverLostError(NakomingError):
    """The forkserver ended while something waited for it."""

    template = (
        "The forkserver of {directory} ended before it {purpose}; its output in the worker's log says why."
    )
    code = "NK7000"


class ForkRefusedError(NakomingError):
    """The operating system gave no new process."""

    template = "No process could be forked for flow run {flow_run_id}: {reason}."
    code = "NK7001"


class CodePlaceError(NakomingError):
    """A deployment names code that this machine does not have."""

    template = (
        "Deployment {deployment} cannot run on a warm worker here: {reason}; "
        "allowed is an entrypoint in a directory that exists on the worker's machine, or pull steps."
    )
    code = "NK7002"


class CommandNotAllowedError(NakomingError):
    """A job names a command of its own, which a fork cannot be."""

    template = (
        "Work pool {pool} or deployment {deployment} sets the job variable 'command' to {command!r}: "
        "a warm worker forks and runs no command; leave it empty or use a process pool."
    )
    code = "NK7003"


class HookNameError(NakomingError):
    """The callable to run after each exit cannot be found."""

    template = (
        "{variable} is {value!r}, which cannot be imported ({reason}); "
        "allowed is the dotted name of a callable, such as 'package.module.function'."
    )
    code = "NK7004"


class StillRunningError(NakomingError):
    """The former process of a run did not end when it had to."""

    template = (
        "The former process {pid} of flow run {flow_run_id} did not end within {seconds:g} s and was killed."
    )
    code = "NK7005"
