"""What is looked at before anything starts, so that a person reads one sentence instead of a server's log."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import sys
import tempfile
from typing import TYPE_CHECKING

import psutil

from deployments.embedded.errors import (
    AgreementsMissingError,
    FolderRefusedError,
    NoRoomError,
    PackageMissingError,
    PortInUseError,
)
from deployments.embedded.options import HOST

if TYPE_CHECKING:
    from deployments.embedded.home import Home
    from deployments.embedded.options import Options, Port
    from nakoming.settings import Settings

ROOM_MB = 200
"""What a first day takes: Prefect's database, records, logs, the demo's environments."""
MEGABYTE = 1_000_000
_PACKAGES = ("prefect", "uvicorn", "fastapi", "sqlalchemy", "alembic", "aiosmtpd", "sqlite3", "demo", "flows")


def check_packages() -> None:
    """See that the environment is whole; `PackageMissingError` names what is not there."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise PackageMissingError(python=sys.executable, packages=", ".join(missing))


def check_folders(home: Home) -> None:
    """Make the folders and see that there is room.

    Raises:
        FolderRefusedError: a folder cannot be made or written.
        NoRoomError: the disk is nearly full.
    """
    try:
        for folder in home.folders:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        free_mb = shutil.disk_usage(home.path).free // MEGABYTE
        if free_mb < ROOM_MB:
            raise NoRoomError(path=home.path, free_mb=free_mb, needed_mb=ROOM_MB)
        for folder in home.folders:
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as problem:
        raise FolderRefusedError(path=problem.filename or home.path, reason=problem.strerror) from problem


def check_agreements(settings: Settings) -> None:
    """See that the folder of agreements, where one was named, holds any; else `AgreementsMissingError`."""
    named = "agreements" in settings.model_fields_set
    if named and not any(settings.agreements.glob("*.yaml")):
        raise AgreementsMissingError(folder=settings.agreements)


def check_ports(options: Options) -> None:
    """See that every port is free; `PortInUseError` names the first that is not, and who has it."""
    for port in options.ports:
        with socket.socket() as probe:
            # As the servers do: a port whose last user just ended is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port.number))
                probe.listen()
            except OSError as problem:
                raise _taken(port, problem) from None


def _taken(port: Port, problem: OSError) -> PortInUseError:
    holder = _holder(port.number)
    if not holder and isinstance(problem, PermissionError):
        holder = " (this user may not take it)"
    return PortInUseError(port=port.number, purpose=port.purpose, holder=holder, variable=port.variable)


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            if (
                connection.status == psutil.CONN_LISTEN
                and address
                and address.port == port
                and connection.pid
            ):
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        return ""
    return ""
