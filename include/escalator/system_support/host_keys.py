"""The proof that a node is the node: known host keys, and refusal of everything else."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import NoReturn

import paramiko
from paramiko.pkey import UnknownKeyType

from escalator.model.errors import InvalidRequestError, NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support.target import SSH_PORT, SshTarget


class RefuseUnknown(paramiko.RejectPolicy):
    """Refuse a node whose host key nobody recorded."""

    def __init__(self, target: SshTarget) -> None:
        super().__init__()
        self._target = target

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> NoReturn:
        """Raise what a person needs to know.

        :raises NodeFaultError: always.
        """
        del client
        offered = f"{key.get_name()} {key.fingerprint}"
        raise NodeFaultError(
            f"node {self._target.host}: no host key is known for {hostname}; it offers {offered}",
            remedy=f"compare it at the node's console, then add it to {find_known_hosts_file(self._target)}",
            code=Code.NODE_UNREACHABLE,
        )


def find_known_hosts_file(target: SshTarget) -> Path:
    """Return the file of host keys that the target uses."""
    return target.known_hosts or Path("~/.ssh/known_hosts").expanduser()


def write_server_name(target: SshTarget) -> str:
    """Return the name that the address has in ``known_hosts``: ``[address]:port`` off port 22."""
    return _name(target.address, target.port)


def find_accepted_keys(target: SshTarget) -> paramiko.HostKeys:
    """Collect the keys that prove the node, all under its server name.

    Entries of ``known_hosts`` may name the address or the host.

    :raises InvalidRequestError: when the key or the file cannot be read.
    """
    found = paramiko.HostKeys()
    name = write_server_name(target)
    if target.host_key is not None:
        key = parse_public_key(target.host_key)
        found.add(name, key.get_name(), key)
        return found
    recorded = _read(find_known_hosts_file(target))
    for alias in (name, _name(target.host, target.port)):
        for kind, key in (recorded.lookup(alias) or {}).items():
            if kind not in (found.lookup(name) or {}):
                found.add(name, kind, key)
    return found


def parse_public_key(text: str) -> paramiko.PKey:
    """Read a public key: ``type base64``, or the base64 part alone.

    :raises InvalidRequestError: when it is none.
    """
    words = text.split()
    blob = words[1] if len(words) > 1 else "".join(words)
    try:
        data = base64.b64decode(blob, validate=True)
        kind = paramiko.Message(data).get_text()
        return paramiko.PKey.from_type_string(kind, data)
    except (binascii.Error, ValueError, paramiko.SSHException, UnknownKeyType) as exc:
        raise InvalidRequestError(
            "host_key is not an SSH public key", remedy="give 'ssh-ed25519 AAAA...' as in known_hosts"
        ) from exc


def _name(host: str, port: int) -> str:
    return host if port == SSH_PORT else f"[{host}]:{port}"


def _read(path: Path) -> paramiko.HostKeys:
    try:
        return paramiko.HostKeys(str(path))
    except FileNotFoundError:
        return paramiko.HostKeys()
    except OSError as exc:
        raise InvalidRequestError(
            f"known hosts file {path} cannot be read: {exc.strerror}", remedy="correct path or permissions"
        ) from exc
