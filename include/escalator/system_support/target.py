"""Where SSH reaches a node, as whom, and which host key proves that it is the node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from escalator.model.errors import InvalidRequestError

SSH_PORT = 22
MAX_PORT = 65535
LONGEST_SECONDS = 86400
"""How long anything is waited for, at most: what is longer hangs, and Python's clocks end somewhere."""
_UNVERIFIED = ("no_host_key_check", "ignore_hostkey_verification", "allow_host_key_change")
"""Extras of an Airflow ``ssh`` connection that would switch the check of the host key off."""
_TEXTS = ("key_file", "private_key", "private_key_passphrase", "known_hosts", "host_key")
_SECONDS = ("conn_timeout", "cmd_timeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshTarget:
    """One node as SSH sees it. Secrets never show in its repr.

    :ivar host: nova-compute service host, for messages and as a second name in ``known_hosts``.
    :ivar role: what the host is, for messages.
    :ivar address: IP address or DNS name that the connection goes to.
    :ivar key_file: private key; with neither key nor password the user's own keys are tried.
    :ivar password: of the user: for the log-in, and for sudo when the user is not root.
    :ivar known_hosts: file of host keys; None means ``~/.ssh/known_hosts``.
    :ivar host_key: the only public key accepted, as ``[type] base64``; ``known_hosts`` is then not read.
    :raises InvalidRequestError: when a value cannot be right.
    """

    host: str
    address: str
    role: Literal["node", "jump host"] = "node"
    port: int = SSH_PORT
    user: str = "root"
    key_file: Path | None = None
    private_key: str | None = field(default=None, repr=False)
    private_key_passphrase: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    known_hosts: Path | None = None
    host_key: str | None = None
    connect_timeout_seconds: float = 10.0
    command_timeout_seconds: float = 60.0
    keepalive_seconds: int = 15

    def __post_init__(self) -> None:
        """Refuse what cannot be right."""
        if not self.address:
            raise InvalidRequestError(f"{self.name} has no address", remedy="give one in the inventory")
        if not 0 < self.port <= MAX_PORT:
            raise InvalidRequestError(f"{self.name}: {self.port} is not a TCP port", remedy="use 1 to 65535")
        if self.key_file and self.private_key:
            raise InvalidRequestError(
                f"{self.name}: key_file and private_key given", remedy="give one of both"
            )
        waits = (self.connect_timeout_seconds, self.command_timeout_seconds, self.keepalive_seconds)
        if not all(0 < seconds <= LONGEST_SECONDS for seconds in waits):
            raise InvalidRequestError(
                f"{self.name}: a time-out is not above zero and at most {LONGEST_SECONDS} seconds",
                remedy="give seconds",
            )

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return f"{self.role} {self.host}"

    @classmethod
    def from_connection_fields(
        cls,
        login: str | None,
        password: str | None,
        port: int | None,
        extra: Mapping[str, object],
        *,
        host: str,
        address: str,
        role: Literal["node", "jump host"] = "node",
    ) -> Self:
        """Read the fields of an Airflow connection of type ``ssh``.

        :param extra: understood are key_file, private_key, private_key_passphrase, host_key, known_hosts,
            conn_timeout and cmd_timeout (seconds); others are left alone.
        :param host: nova-compute service host.
        :param address: where the node is: one connection serves many nodes, its own host is not used.
        :raises InvalidRequestError: when extras would switch host key verification off, or are malformed:
            names each of them.
        """
        _refuse_faults(_find_faults(extra))
        return cls(
            host=host,
            role=role,
            address=address,
            port=port or SSH_PORT,
            user=login or "root",
            password=password or None,
            key_file=_path(extra, "key_file"),
            private_key=_text(extra, "private_key"),
            private_key_passphrase=_text(extra, "private_key_passphrase"),
            known_hosts=_path(extra, "known_hosts"),
            host_key=_text(extra, "host_key"),
            connect_timeout_seconds=_seconds(extra, "conn_timeout", 10.0),
            command_timeout_seconds=_seconds(extra, "cmd_timeout", 60.0),
        )


def _find_faults(extra: Mapping[str, object]) -> Iterator[InvalidRequestError]:
    """Find everything that is wrong with the extras."""
    for name in _UNVERIFIED:
        if str(extra.get(name, "false")).strip().lower() not in {"false", "0", "", "none"}:
            yield InvalidRequestError(
                f"the SSH connection sets {name}: host keys are always verified",
                remedy=f"remove {name} and name a known_hosts file or a host_key",
            )
    for name in _TEXTS:
        if not isinstance(extra.get(name) or "", str):
            yield InvalidRequestError(
                f"extra {name} of the SSH connection is not text", remedy=f"quote {name}"
            )
    if extra.get("key_file") and extra.get("private_key"):
        yield InvalidRequestError(
            "the SSH connection has key_file and private_key given", remedy="give one of both"
        )
    for name in _SECONDS:
        if not 0 < _seconds(extra, name, 1.0) <= LONGEST_SECONDS:
            words = f"is not a number of seconds above zero and at most {LONGEST_SECONDS}"
            yield InvalidRequestError(
                f"extra {name} of the SSH connection {words}", remedy=f"give a number as {name}"
            )


def _refuse_faults(found: Iterable[InvalidRequestError]) -> None:
    faults = list(found)
    if faults:
        raise InvalidRequestError(
            "; ".join(fault.message for fault in faults),
            remedy="; ".join(fault.remedy for fault in faults if fault.remedy),
        )


def _text(extra: Mapping[str, object], name: str) -> str | None:
    value = extra.get(name)
    return None if value is None or value == "" else str(value)


def _path(extra: Mapping[str, object], name: str) -> Path | None:
    text = _text(extra, name)
    return Path(text).expanduser() if text else None


def _seconds(extra: Mapping[str, object], name: str, default: float) -> float:
    """Return seconds; what is no number is none above zero."""
    value = extra.get(name)
    if value is None or value == "":
        return default
    try:
        return float(str(value))
    except ValueError:
        return 0.0
