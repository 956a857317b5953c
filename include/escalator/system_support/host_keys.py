"""The proof that a node is the node: known host keys and authorities, and refusal of everything else."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from escalator.model.errors import InvalidRequestError, NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support.host_certificates import find_certificate_fault
from escalator.system_support.target import SSH_PORT, SshTarget

_AUTHORITY, _REVOKED = "@cert-authority", "@revoked"
_WORDS = 3
"""Names, type and key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedKeys:
    """What proves a node: keys under its server name, and authorities that sign certificates of it.

    :ivar keys: the first of each type, by server name; :ivar known: all of them, as ``type base64``.
    :ivar authorities: public keys as ``type base64``; :ivar revoked: keys that prove nothing any more.
    """

    keys: paramiko.HostKeys = field(default_factory=paramiko.HostKeys)
    known: frozenset[str] = frozenset()
    authorities: frozenset[str] = frozenset()
    revoked: frozenset[str] = frozenset()


class Judge(paramiko.MissingHostKeyPolicy):
    """Judges the key that a node offers; refuses one that nobody recorded or signed."""

    def __init__(self, target: SshTarget, accepted: AcceptedKeys) -> None:
        super().__init__()
        self._target = target
        self._accepted = accepted

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Return for a key that proves the node; otherwise raise what a person needs to know.

        :raises NodeFaultError: the key is unknown, not the known one, revoked, or its certificate is no good.
        """
        del client
        offered = f"{key.get_name()} {key.fingerprint}"
        recorded: Mapping[str, paramiko.PKey] = self._accepted.keys.lookup(hostname) or {}
        certificate = self._find_fault(key)
        if _write_key(key) in self._accepted.revoked:
            said = f"the host key {offered} of {hostname} is revoked"
        elif certificate == "" or _write_key(key) in self._accepted.known:
            return
        elif certificate is not None:
            said = f"the host certificate of {hostname} does not prove it: {certificate}"
        elif recorded:
            said = f"the host key of {self._target.address} is not the known one; it offers {offered}"
        else:
            said = f"no host key is known for {hostname}; it offers {offered}"
        raise NodeFaultError(
            f"{self._target.name}: {said}",
            remedy="find out why, at its console; then put its key, or the one that signed its certificate, "
            f"into {find_known_hosts_file(self._target)}, which the connection's extra `known_hosts` names",
            code=Code.NODE_UNREACHABLE,
        )

    def _find_fault(self, key: paramiko.PKey) -> str | None:
        """Say what is wrong with a key's certificate; empty: nothing, it is good; None: it has none."""
        blob = key.public_blob
        if blob is None:
            return None
        fault = find_certificate_fault(
            blob.key_type,
            blob.key_blob,
            authorities=self._accepted.authorities - self._accepted.revoked,
            names=(self._target.address, self._target.host),
            now=datetime.now(tz=UTC),
        )
        return fault or ""


def find_known_hosts_file(target: SshTarget) -> Path:
    """Return the file of host keys that the target uses."""
    return target.known_hosts or Path("~/.ssh/known_hosts").expanduser()


def write_server_name(target: SshTarget) -> str:
    """Return the name that the address has in ``known_hosts``: ``[address]:port`` off port 22."""
    return _name(target.address, target.port)


def find_accepted_keys(target: SshTarget) -> AcceptedKeys:
    """Collect what proves the node: keys, all under its server name, and authorities.

    Entries of ``known_hosts`` may name the address or the host, by patterns or hashed; those marked
    ``@cert-authority`` or ``@revoked`` need not name the port.

    :raises InvalidRequestError: when the key or the file cannot be read.
    """
    found = paramiko.HostKeys()
    name = write_server_name(target)
    if target.host_key is not None:
        key = parse_public_key(target.host_key)
        found.add(name, key.get_name(), key)
        return AcceptedKeys(keys=found, known=frozenset({_write_key(key)}))
    lines = [line.split() for line in _read_lines(find_known_hosts_file(target))]
    known: set[str] = set()
    aliases = (name, _name(target.host, target.port))
    for text in _find_keys(lines, aliases):
        with suppress(InvalidRequestError):  # other lines count all the same
            key = parse_public_key(text)
            known.add(_write_key(key))
            if key.get_name() not in (found.lookup(name) or {}):
                found.add(name, key.get_name(), key)
    names = (*aliases, target.address, target.host)
    return AcceptedKeys(
        keys=found,
        known=frozenset(known),
        authorities=frozenset(_find_keys(lines, names, _AUTHORITY)),
        revoked=frozenset(_find_keys(lines, names, _REVOKED)),
    )


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
            "host_key is not an SSH public key",
            remedy="give 'ssh-ed25519 AAAA...' in the connection's extra `host_key`",
        ) from exc


def _name(host: str, port: int) -> str:
    return host if port == SSH_PORT else f"[{host}]:{port}"


def _read_lines(path: Path) -> Sequence[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise InvalidRequestError(
            f"known hosts file {path} cannot be read: {why}",
            remedy="correct the connection's extra `known_hosts`, or the file",
        ) from exc


def _find_keys(lines: Sequence[Sequence[str]], names: Collection[str], marker: str = "") -> Iterator[str]:
    """Find the public keys, as ``type base64``, of the lines with a marker that are about some names."""
    for words in lines:
        rest = words[1:] if words[:1] == [marker] else words
        marked = words[0] if words and words[0].startswith(("@", "#")) else ""
        if marked == marker and len(rest) >= _WORDS and _is_about(rest[0].split(","), names):
            yield f"{rest[1]} {rest[2]}"


def _is_about(patterns: Sequence[str], names: Collection[str]) -> bool:
    refused = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    if any(_matches(pattern, name) for pattern in refused for name in names):
        return False
    return any(_matches(pattern, name) for pattern in patterns for name in names)


def _matches(pattern: str, name: str) -> bool:
    """Compare a name with a pattern of OpenSSH's, where brackets mean themselves, or with a hashed name."""
    if pattern.startswith("|1|"):
        try:
            return bool(paramiko.HostKeys.hash_host(name, pattern) == pattern)
        except (ValueError, IndexError, AssertionError):  # it is none
            return False
    return fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))


def _write_key(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"
