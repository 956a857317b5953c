"""Opening an SSH connection to a node, straight or through a jump host: strict host keys, bounded waits."""

from __future__ import annotations

import io
import logging
import socket
import time
from contextlib import suppress
from copy import copy
from threading import Lock
from typing import Any

import paramiko

from escalator.model.errors import (
    EscalatorError,
    InvalidRequestError,
    LoginRefusedError,
    NodeFaultError,
    TransientError,
)
from escalator.model.verdict import Code
from escalator.system_support.host_keys import (
    AcceptedKeys,
    Judge,
    find_accepted_keys,
    write_server_name,
)
from escalator.system_support.target import SshTarget

_DEAD_PEER_SECONDS = 30
"""A peer that leaves sent data unacknowledged this long is gone (a node without power sends no reset)."""
_KEY_TYPES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_FORBIDDEN = 1
"""SSH's reason of a channel that is not opened: administratively prohibited (RFC 4254, 5.1)."""
_SAME_FAILURE_SECONDS = 5.0
"""For so long a jump host that could not be connected to is not tried again."""
_RSA = "ssh-rsa"
_CERTIFICATE = "-cert-v01@openssh.com"
_SILENT_LOG = f"{__name__}.paramiko"
"""Where paramiko logs: nowhere. What it tells with a traceback at each try is raised as well."""

log = logging.getLogger(__name__)


class JumpHost:
    """A host that nodes are reached through: one connection, made when it is needed, for all of them.

    Threads may share it. It lives as long as the process.
    """

    def __init__(self, target: SshTarget) -> None:
        self._target = target
        self._lock = Lock()
        self._client: paramiko.SSHClient | None = None
        self._failure: EscalatorError | None = None
        self._failed_at = 0.0

    @property
    def target(self) -> SshTarget:
        """Return how it is reached itself."""
        return self._target

    def open_channel(self, to: SshTarget) -> paramiko.Channel:
        """Open a way to a node.

        :raises TransientError: the jump host, or the node behind it, cannot be reached now.
        :raises LoginRefusedError: the jump host refuses the log-in.
        :raises NodeFaultError: its host key is not the known one, or it forwards nothing.
        """
        try:
            return self._transport().open_channel(
                "direct-tcpip",
                (to.address, to.port),
                ("127.0.0.1", 0),
                timeout=to.connect_timeout_seconds,
            )
        except paramiko.ChannelException as exc:
            if exc.code != _FORBIDDEN:
                raise self._describe_closed(to, exc) from exc
            raise NodeFaultError(
                f"{to.name}: the {self._target.name} lets nobody through: {find_words(exc)}",
                remedy="let its sshd allow the user TCP forwarding",
                code=Code.NODE_UNREACHABLE,
            ) from exc
        except (paramiko.SSHException, OSError, EOFError) as exc:
            raise self._describe_closed(to, exc) from exc

    def _describe_closed(self, to: SshTarget, exc: Exception) -> TransientError:
        way = f"the {self._target.name} does not get to {to.address} port {to.port}"
        return describe_loss(to, f"{way}: {find_words(exc)}")

    def _transport(self) -> paramiko.Transport:
        with self._lock:
            found = self._client.get_transport() if self._client is not None else None
            if found is not None and found.is_active():
                return found
            if self._client is not None:
                self._client.close()
            self._client = self._connect()
            made = self._client.get_transport()
        if made is None:
            raise describe_loss(self._target, "not connected")
        return made

    def _connect(self) -> paramiko.SSHClient:
        """Connect; a hundred nodes that are asked at once hear of one failure, not of one after the other."""
        if self._failure is not None and time.monotonic() < self._failed_at + _SAME_FAILURE_SECONDS:
            raise copy(self._failure)
        try:
            return connect(self._target)
        except EscalatorError as exc:
            self._failure, self._failed_at = exc, time.monotonic()
            raise


def connect(target: SshTarget, *, through: JumpHost | None = None) -> paramiko.SSHClient:
    """Log in.

    :raises TransientError: it cannot be reached now.
    :raises LoginRefusedError: it refuses the log-in.
    :raises NodeFaultError: its host key is unknown or changed, or no log-in can be tried.
    :raises InvalidRequestError: the key cannot be read.
    """
    key = _private_key(target)
    accepted = find_accepted_keys(target)
    client = paramiko.SSHClient()
    logging.getLogger(_SILENT_LOG).disabled = True  # each time: configuring logging anew enables it again
    client.set_log_channel(_SILENT_LOG)
    client.set_missing_host_key_policy(Judge(target, accepted))
    try:
        way = through.open_channel(target) if through is not None else _open_socket(target)
        _log_in(client, target, key, accepted, way)
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


def describe_loss(target: SshTarget, what: str) -> TransientError:
    """Say that a node is out of reach for now."""
    return TransientError(f"{target.name}: {what}", code=Code.NODE_UNREACHABLE)


def find_words(exc: BaseException) -> str:
    """Return what an exception says; one without words says its name."""
    return str(exc) or type(exc).__name__


def _open_socket(target: SshTarget) -> socket.socket:
    opened = socket.create_connection((target.address, target.port), timeout=target.connect_timeout_seconds)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_SECONDS * 1000)
    return opened


def _log_in(
    client: paramiko.SSHClient,
    target: SshTarget,
    key: paramiko.PKey | None,
    accepted: AcceptedKeys,
    way: socket.socket | paramiko.Channel,
) -> None:
    limit = target.connect_timeout_seconds
    own_keys = key is None and target.key_file is None and target.password is None

    def make_transport(sock: Any, **options: Any) -> paramiko.Transport:  # noqa: ANN401  (as paramiko gives them)
        wanted = _find_wanted(accepted, write_server_name(target))
        return _Transport(sock, wanted=wanted, **options)

    try:
        client.connect(
            target.address,
            target.port,
            username=target.user,
            password=target.password,
            passphrase=target.private_key_passphrase,
            pkey=key,
            key_filename=str(target.key_file) if target.key_file else None,
            sock=way,
            timeout=limit,
            banner_timeout=limit,
            auth_timeout=limit,
            channel_timeout=limit,
            allow_agent=own_keys,
            look_for_keys=own_keys,
            transport_factory=make_transport,
        )
    finally:
        if client.get_transport() is None:
            with suppress(OSError, EOFError):
                way.close()


class _Transport(paramiko.Transport):
    """Asks the other side first for the kinds of host key that can be judged."""

    def __init__(self, sock: Any, *, wanted: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
        super().__init__(sock, **options)
        self._wanted = wanted

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Return all kinds, in the order in which they are wanted."""
        offered = tuple(super().preferred_keys)
        first = [kind for kind in self._wanted if kind in offered]
        if _CERTIFICATE in self._wanted:
            first = [kind for kind in offered if kind.endswith(_CERTIFICATE)] + first
        return tuple(dict.fromkeys((*first, *offered)))


def _find_wanted(accepted: AcceptedKeys, name: str) -> tuple[str, ...]:
    """Return the kinds of host key that are known: certificates when there is an authority, then keys."""
    known = list(accepted.keys.lookup(name) or {})
    kinds = [new for kind in known for new in (("rsa-sha2-512", "rsa-sha2-256") if kind == _RSA else (kind,))]
    return (_CERTIFICATE, *kinds) if accepted.authorities else tuple(kinds)


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
    said = f"{target.name}: SSH refuses user {target.user}: {find_words(exc)}"
    remedy = "add the public key to the user's authorized_keys there, or correct the SSH connection"
    if _is_hopeless(exc):
        return NodeFaultError(said, remedy=remedy, code=Code.NODE_UNREACHABLE)
    if isinstance(exc, paramiko.AuthenticationException) and "timeout" not in str(exc).lower():
        return LoginRefusedError(said, remedy=remedy, code=Code.NODE_UNREACHABLE)
    return describe_loss(
        target, f"no SSH connection to {target.address} port {target.port}: {find_words(exc)}"
    )


def _is_hopeless(exc: Exception) -> bool:
    """Tell whether what we have to show makes every further try fail in the same way."""
    kinds = (
        paramiko.BadAuthenticationType,
        paramiko.PasswordRequiredException,
        paramiko.ssh_exception.IncompatiblePeer,
    )
    return isinstance(exc, kinds) or "No authentication methods available" in str(exc)
