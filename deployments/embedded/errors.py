"""What can stand in the way of the embedded system, each as one sentence that says what to do."""

from __future__ import annotations

from typing import ClassVar

from nakoming.errors import NakomingError, UsageError


class PortInUseError(NakomingError):
    """Another program listens on a port that the system needs."""

    template: ClassVar[str] = (
        "Port {port}, wanted for {purpose}, is in use{holder}: stop what uses it, "
        "or choose another with {variable}=PORT."
    )
    code: ClassVar[str] = "NK7090"


class SamePortError(UsageError):
    """Two servers were given one port."""

    template: ClassVar[str] = "Port {port} is given to {first} and to {second}: choose one port for each."
    code: ClassVar[str] = "NK7091"


class NoRoomError(NakomingError):
    """There is too little room to start."""

    template: ClassVar[str] = (
        "The disk of {path} has {free_mb} MB free and the system needs {needed_mb} MB: "
        "free some space, or choose another folder with NAKOMING_HOME=FOLDER."
    )
    code: ClassVar[str] = "NK7092"


class FolderRefusedError(NakomingError):
    """The home folder cannot be written."""

    template: ClassVar[str] = (
        "The folder {path} cannot be used ({reason}): make it writable, "
        "or choose another with NAKOMING_HOME=FOLDER."
    )
    code: ClassVar[str] = "NK7093"


class PackageMissingError(NakomingError):
    """The environment is not whole."""

    template: ClassVar[str] = (
        "{python} lacks {packages}: run `make env`, which installs what Nakoming needs, then again."
    )
    code: ClassVar[str] = "NK7094"


class AlreadyRunningError(NakomingError):
    """A second start of the same home."""

    template: ClassVar[str] = (
        "The system of {home} runs already (process {pid}): {addresses}. Stop that one first, or use it."
    )
    code: ClassVar[str] = "NK7095"


class ServiceNotStartedError(NakomingError):
    """A process of the system ended, or did not answer, while starting."""

    template: ClassVar[str] = "The {service} did not start: {reason}. Its log is {log}."
    code: ClassVar[str] = "NK7096"


class EmbeddedSettingError(UsageError):
    """A variable or option of the embedded system has a value that is not allowed."""

    template: ClassVar[str] = "{variable} is {value!r}: {allowed}."
    code: ClassVar[str] = "NK7097"


class NotRunningError(NakomingError):
    """A command that needs the running system found none."""

    template: ClassVar[str] = "No system runs in {home}: start it with `nakoming up`."
    code: ClassVar[str] = "NK7098"


class DeploymentFileError(NakomingError):
    """`prefect.yaml` cannot be applied."""

    template: ClassVar[str] = "{path} cannot be applied: {reason}."
    code: ClassVar[str] = "NK7099"


class AgreementNameError(NakomingError):
    """An agreement lies in a file of another name."""

    template: ClassVar[str] = (
        "{file} holds the agreement of {customer!r}: name the file {customer}.yaml, or correct `customer`."
    )
    code: ClassVar[str] = "NK7100"


class PrefectSilentError(NakomingError):
    """The Prefect server did not become healthy."""

    template: ClassVar[str] = "The Prefect server at {url} did not answer within {seconds:g} seconds."
    code: ClassVar[str] = "NK7101"


class AgreementsMissingError(NakomingError):
    """The folder of agreements that was named holds none."""

    template: ClassVar[str] = (
        "The folder {folder} holds no agreement: put CUSTOMER.yaml and vendor.yaml there, "
        "or name another folder with NAKOMING_AGREEMENTS=FOLDER."
    )
    code: ClassVar[str] = "NK7105"


class SystemNotStartedError(NakomingError):
    """The supervisor ended while it was waited for."""

    template: ClassVar[str] = "The system was not started, for the reason above."
    code: ClassVar[str] = "NK7102"
