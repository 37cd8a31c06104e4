"""Keep the tests apart from the person who runs them: their settings, their home, their network."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# NAKOMING_TEST_… (such as NAKOMING_TEST_MSSQL) is how a person gives the tests a server; it stays.
_FOREIGN = ("PREFECT_", "NAKOMING_")
_KEPT = ("NAKOMING_TEST_",)


class OutsideConnectionError(AssertionError):
    """A test tried to reach another machine; no OSError, so that nobody takes it for an outage."""

    def __init__(self, address: object) -> None:
        super().__init__(f"A test reached for {address!r}: tests speak to servers on this machine only.")


def clean_environment(home: Path) -> None:
    """Forget the person's Prefect and Nakoming settings; no server but the one a test starts is ever used."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) and not name.startswith(_KEPT):
            del os.environ[name]
    os.environ.update(
        PREFECT_HOME=str(home),
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        # Else code without an address would start a server of its own, in silence.
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="false",
        DO_NOT_TRACK="1",
    )


def close_the_outside() -> None:
    """Let sockets of this process reach this machine only."""
    for method in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, method, _guarded(getattr(socket.socket, method)))


def is_local(family: int, address: Any) -> bool:
    """Whether the address lies on this machine; a name counts only when it is localhost."""
    if family not in {socket.AF_INET, socket.AF_INET6}:
        return True
    host = address[0] if isinstance(address, tuple) else ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _guarded(real: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, *arguments: Any) -> Any:
        # The address is the last argument of all three: connect(a), sendto(data, a), sendto(data, flags, a).
        if not is_local(self.family, arguments[-1]):
            raise OutsideConnectionError(arguments[-1])
        return real(self, *arguments)

    return guarded
