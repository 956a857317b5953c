"""A shell on a node over SSH: strict host keys, every wait bounded, errors by what the caller must do."""

from __future__ import annotations

import io
import logging
import selectors
import shlex
import socket
import time
from types import TracebackType
from typing import Self

import paramiko

from escalator.model.errors import EscalatorError, InvalidRequestError, NodeFaultError, TransientError
from escalator.model.verdict import Code
from escalator.system_support.host_keys import (
    RefuseUnknown,
    find_accepted_keys,
    find_known_hosts_file,
    write_server_name,
)
from escalator.system_support.shell import CommandResult
from escalator.system_support.target import SshTarget

MAX_OUTPUT_BYTES = 1 << 20
"""Bytes kept of each output stream; the rest is read and dropped."""
_CHUNK = 1 << 15
_DEAD_PEER_SECONDS = 30
"""A peer that leaves sent data unacknowledged this long is gone (a node without power sends no reset)."""
_KEY_TYPES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)

log = logging.getLogger(__name__)


class NodeShell:
    """One SSH connection to a node, as a context manager."""

    def __init__(self, target: SshTarget) -> None:
        self._target = target
        self._client: paramiko.SSHClient | None = None

    @property
    def host(self) -> str:
        """Return the nova-compute service host of the node."""
        return self._target.host

    def __enter__(self) -> Self:
        """Connect.

        :raises TransientError: when the node cannot be reached now.
        :raises NodeFaultError: when its host key is unknown or changed, or it refuses the credentials.
        :raises InvalidRequestError: when the key cannot be read.
        """
        self._client = _connected(self._target)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection; never fails."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def run(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        """Run a POSIX sh command and wait for its end.

        :param timeout_seconds: longest wait for the whole command; None means the target's own.
        :raises TransientError: when the connection is lost or the time is up; the command may still run.
        """
        limit = self._target.command_timeout_seconds if timeout_seconds is None else timeout_seconds
        try:
            with self._transport().open_session(timeout=limit) as channel:
                channel.exec_command(command)
                channel.shutdown_write()
                return _collect(channel, limit, self.host)
        except (paramiko.SSHException, OSError, EOFError) as exc:
            raise _lost(self.host, f"connection lost: {_words(exc)}") from exc

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        """Run a command as root; like ``run``, through ``sudo -n`` when the user is another."""
        if self._target.user != "root":
            command = f"sudo -n -- /bin/sh -c {shlex.quote(command)}"
        return self.run(command, timeout_seconds)

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport() if self._client is not None else None
        if transport is None or not transport.is_active():
            raise _lost(self.host, "not connected")
        return transport


def _connected(target: SshTarget) -> paramiko.SSHClient:
    key = _private_key(target)
    client = paramiko.SSHClient()
    _trust(client, target)
    try:
        _connect(client, target, key)
    except EscalatorError:
        client.close()
        raise
    except (paramiko.SSHException, OSError, EOFError) as exc:
        client.close()
        raise _translated(exc, target) from exc
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(target.keepalive_seconds)
    return client


def _trust(client: paramiko.SSHClient, target: SshTarget) -> None:
    name = write_server_name(target)
    for kind, key in (find_accepted_keys(target).lookup(name) or {}).items():
        client.get_host_keys().add(name, kind, key)
    client.set_missing_host_key_policy(RefuseUnknown(target))


def _connect(client: paramiko.SSHClient, target: SshTarget, key: paramiko.PKey | None) -> None:
    limit = target.connect_timeout_seconds
    connection = socket.create_connection((target.address, target.port), timeout=limit)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_SECONDS * 1000)
    own_keys = key is None and target.key_file is None and target.password is None
    try:
        client.connect(
            target.address,
            target.port,
            username=target.user,
            password=target.password,
            passphrase=target.private_key_passphrase,
            pkey=key,
            key_filename=str(target.key_file) if target.key_file else None,
            sock=connection,
            timeout=limit,
            banner_timeout=limit,
            auth_timeout=limit,
            channel_timeout=limit,
            allow_agent=own_keys,
            look_for_keys=own_keys,
        )
    finally:
        if client.get_transport() is None:
            connection.close()


def _private_key(target: SshTarget) -> paramiko.PKey | None:
    if target.key_file is not None:
        try:
            target.key_file.open("rb").close()
        except OSError as exc:
            raise InvalidRequestError(
                f"SSH key {target.key_file} cannot be read: {exc.strerror}",
                remedy="correct path or permissions",
            ) from exc
        return None
    if target.private_key is None:
        return None
    for kind in _KEY_TYPES:
        try:
            return kind.from_private_key(io.StringIO(target.private_key), target.private_key_passphrase)
        except (paramiko.SSHException, ValueError, IndexError) as exc:
            log.debug("private key is not a %s: %s", kind.__name__, type(exc).__name__)
    raise InvalidRequestError(
        "the private_key of the SSH connection cannot be read",
        remedy="give an OpenSSH Ed25519, ECDSA or RSA key and its private_key_passphrase",
    )


def _translated(exc: Exception, target: SshTarget) -> EscalatorError:
    """Say what a failed connection means for the caller."""
    if isinstance(exc, paramiko.BadHostKeyException):
        offered = f"{exc.key.get_name()} {exc.key.fingerprint}"
        return NodeFaultError(
            f"node {target.host}: the host key of {target.address} is not the known one; it offers {offered}",
            remedy="find out why; if the node was re-imaged, replace its key in "
            f"{find_known_hosts_file(target)}",
            code=Code.NODE_UNREACHABLE,
        )
    if _refused(exc):
        return NodeFaultError(
            f"node {target.host}: SSH refuses user {target.user}: {_words(exc)}",
            remedy="add the public key to the user's authorized_keys there, or correct the SSH connection",
            code=Code.NODE_UNREACHABLE,
        )
    return _lost(target.host, f"no SSH connection to {target.address} port {target.port}: {_words(exc)}")


def _lost(host: str, what: str) -> TransientError:
    return TransientError(f"node {host}: {what}", code=Code.NODE_UNREACHABLE)


def _refused(exc: Exception) -> bool:
    """Tell whether the node, or what we have to show it, makes every further try fail in the same way."""
    if isinstance(exc, paramiko.AuthenticationException):
        return "timeout" not in str(exc).lower()
    lacking = "No authentication methods available" in str(exc)
    return lacking or isinstance(exc, paramiko.ssh_exception.IncompatiblePeer)


def _words(exc: BaseException) -> str:
    return str(exc) or type(exc).__name__


def _collect(channel: paramiko.Channel, limit: float, host: str) -> CommandResult:
    """Read both streams until the command has ended."""
    deadline = time.monotonic() + limit
    stdout, stderr = bytearray(), bytearray()
    channel.setblocking(0)
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while not _drain(channel, stdout, stderr):
            left = deadline - time.monotonic()
            if left <= 0:
                raise _lost(host, f"the command did not end within {limit:g} s")
            selector.select(left)
    channel.status_event.wait(max(0.0, deadline - time.monotonic()))
    code = channel.exit_status
    if code < 0:
        raise _lost(host, "the connection was lost before the command ended")
    return CommandResult(
        exit_code=code, stdout=stdout.decode(errors="replace"), stderr=stderr.decode(errors="replace")
    )


def _drain(channel: paramiko.Channel, stdout: bytearray, stderr: bytearray) -> bool:
    """Take what has arrived; tell whether the stream has ended and all of it was taken."""
    ended = bool(channel.eof_received or channel.closed)
    while channel.recv_ready():
        _keep(stdout, channel.recv(_CHUNK))
    while channel.recv_stderr_ready():
        _keep(stderr, channel.recv_stderr(_CHUNK))
    return ended


def _keep(kept: bytearray, chunk: bytes) -> None:
    kept += chunk[: MAX_OUTPUT_BYTES - len(kept)]
