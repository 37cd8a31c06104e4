"""Open an SSH connection to the one machine whose host key is pinned, and log in."""

from __future__ import annotations

import io
import socket
from base64 import b64decode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from blocks.ssh_errors import HostKeyChanged, SshKeyInvalid, SshLoginRefused, SshUnreachable, fingerprint
from blocks.ssh_session import SshSession

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

_SILENT_PEER_SECONDS: Final = 30


@contextmanager
def connect(
    *,
    host: str,
    port: int,
    username: str,
    host_key: str,
    private_key: str | None,
    passphrase: str | None,
    password: str | None,
    timeout: timedelta,
) -> Iterator[SshSession]:
    """Open a connection to the one machine that holds the pinned key, and log in.

    Raises:
        SshUnreachable: nobody answers, or not in SSH.
        HostKeyChanged: somebody else answers; no login was tried.
        SshLoginRefused: it does not let us in.
        SshKeyInvalid: the private key cannot be used.
    """
    seconds = timeout.total_seconds()
    key = None if private_key is None else _load_key(private_key, passphrase, host, username)
    try:
        transport = paramiko.Transport(_open_socket(host, port, seconds))
    except (OSError, paramiko.SSHException) as error:
        raise SshUnreachable(host=host, port=port, reason=str(error)) from error
    try:
        transport.banner_timeout = transport.auth_timeout = seconds
        _check_host_key(transport, host, port, host_key)
        try:
            _log_in(transport, username, key, password)
        except (OSError, EOFError, paramiko.SSHException) as error:
            reason = str(error).rstrip(".") or "the connection was closed"
            raise SshLoginRefused(host=host, port=port, username=username, reason=reason) from error
        transport.set_keepalive(15)
        yield SshSession(transport, host, port)
    finally:
        transport.close()


def _open_socket(host: str, port: int, seconds: float) -> socket.socket:
    opened = socket.create_connection((host, port), seconds)
    # A small request goes out at once, not when the one before it was acknowledged: reading is twice as fast.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # A silent peer is noticed in half a minute; the kernel's default is a quarter of an hour.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_PEER_SECONDS * 1000)
    return opened


def _check_host_key(transport: paramiko.Transport, host: str, port: int, host_key: str) -> None:
    kind, encoded = host_key.split()[:2]
    options = transport.get_security_options()
    # AES-GCM first, which OpenSSH prefers too: it needs no second pass for a MAC, and half the time.
    ciphers = [name for name in options.ciphers if "gcm" in name]
    options.ciphers = [*ciphers, *(name for name in options.ciphers if name not in ciphers)]
    # An ssh-rsa key signs with SHA-2. The other types stay allowed, so that a changed key can be named.
    wanted = [name for name in options.key_types if name.startswith("rsa-" if kind == "ssh-rsa" else kind)]
    options.key_types = [*wanted, *(name for name in options.key_types if name not in wanted)]
    try:
        transport.start_client(timeout=transport.banner_timeout)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise SshUnreachable(
            host=host, port=port, reason=str(error) or "the connection was closed"
        ) from error
    offered = transport.get_remote_server_key()
    if offered.asbytes() != b64decode(encoded):
        raise HostKeyChanged(host=host, port=port, offered=offered.fingerprint, pinned=fingerprint(host_key))


def _log_in(
    transport: paramiko.Transport, username: str, key: paramiko.PKey | None, password: str | None
) -> None:
    if key is not None:
        transport.auth_publickey(username, key)
    else:
        transport.auth_password(username, password or "", fallback=False)
    if not transport.is_authenticated():
        raise paramiko.AuthenticationException("it asks for a second factor")


def _load_key(text: str, passphrase: str | None, host: str, username: str) -> paramiko.PKey:
    # Any of the usual formats goes in; paramiko gets the one it reads for every kind of key.
    data = (text.strip() + "\n").encode()
    secret = None if passphrase is None else passphrase.encode()
    load = serialization.load_pem_private_key
    if b"OPENSSH" in data:
        load = serialization.load_ssh_private_key
    try:
        loaded = load(data, secret)
    except (ValueError, TypeError) as error:
        reason = "it is no private key, or its passphrase is missing, wrong or not needed"
        raise SshKeyInvalid(host=host, username=username, reason=reason) from error
    classes = (
        (ed25519.Ed25519PrivateKey, paramiko.Ed25519Key),
        (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey),
        (rsa.RSAPrivateKey, paramiko.RSAKey),
    )
    for kind, wrapper in classes:
        if isinstance(loaded, kind):
            plain = loaded.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
            return wrapper.from_private_key(io.StringIO(plain.decode()))
    reason = f"a {type(loaded).__name__} is not one of Ed25519, ECDSA and RSA"
    raise SshKeyInvalid(host=host, username=username, reason=reason)
