"""What can go wrong with a machine behind SSH, and the fingerprint by which people compare keys."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode

from nakoming.errors import NakomingError, UsageError


class SshUnreachable(NakomingError):
    """No connection: nothing has happened there."""

    template = "{host}:{port} cannot be reached over SSH: {reason}."
    code = "NK5010"


class HostKeyChanged(NakomingError):
    """The machine that answered is not the one whose key was pinned; nothing was sent to it."""

    template = (
        "{host}:{port} shows another host key ({offered}) than the pinned one ({pinned}). "
        "Ask its administrator whether the machine was replaced; only then change the block."
    )
    code = "NK5011"


class SshLoginRefused(NakomingError):
    """The machine is the right one, and does not let us in."""

    template = "{host}:{port} refuses the login of {username!r}: {reason}."
    code = "NK5012"


class SshConnectionLost(NakomingError):
    """The connection broke; whether the command had done its work is in doubt."""

    template = "The connection to {host}:{port} broke while {what} ran; it is not known how it ended."
    code = "NK5013"


class RemoteFileDiffers(NakomingError):
    """What was read back is not what was sent."""

    template = "{path} on {host} holds SHA-256 {got} after it was sent; {expected} is expected."
    code = "NK5014"


class SshKeyInvalid(NakomingError):
    """The private key cannot be used."""

    template = "The private key for {username!r} on {host} cannot be used: {reason}."
    code = "NK5015"


class RemoteFileMissing(NakomingError):
    """A file on the other machine cannot be read or written."""

    template = "{path} on {host} cannot be {done}: {reason}."
    code = "NK5016"


class EnvironmentRefused(NakomingError):
    """A variable that cannot be handed over."""

    template = "Variable {name!r} cannot be sent to {host}: its name must be a name, its value one line."
    code = "NK5017"


class RemoteShellRefused(NakomingError):
    """The account's shell did not run what it was given."""

    template = "{host} did not start {what} (exit code {exit_code}): {output}"
    code = "NK5018"


def fingerprint(host_key: str) -> str:
    """Return the fingerprint of `type base64` as `ssh-keygen -l` shows it: `SHA256:...`."""
    digest = hashlib.sha256(b64decode(host_key.split()[1])).digest()
    return "SHA256:" + b64encode(digest).decode().rstrip("=")


class HostKeyInvalid(UsageError, ValueError):
    """A pinned host key is not one."""

    template = (
        "The host key {given!r} is not a type and its base64 text, such as 'ssh-ed25519 AAAAC3Nza…'; "
        "ssh-keyscan prints it, its administrator confirms it."
    )
    code = "NK5019"
