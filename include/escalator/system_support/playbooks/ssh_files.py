"""What OpenSSH and Ansible are given to reach a node as Escalator itself does: address, key, host keys, sudo.

All of it is written into the folder of one run, which goes with the run. Host keys are always verified, those
of the jump host as well.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from escalator.model.errors import InvalidRequestError
from escalator.system_support.command_line import ROOT
from escalator.system_support.host_keys import find_accepted_keys
from escalator.system_support.playbooks.keeper import FOLDER
from escalator.system_support.target import SSH_PORT, SshTarget

INVENTORY, SSH_CONFIG = "inventory.yml", "ssh_config"
_JUMP = "escalator-jump-host"
_ADDRESS = re.compile(r"[0-9.]+|.*:.*")
"""An IP address, not a name."""
_SEED = "-----BEGIN OPENSSH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a node is reached.

    :ivar jump: the host that it is behind; None: it is reached straight.
    """

    target: SshTarget
    jump: SshTarget | None = None


def write_ssh_files(route: Route, name: str) -> dict[str, str]:
    """Write the files by which Ansible reaches one node: an inventory, OpenSSH's configuration, keys.

    :param name: what the inventory calls the node.
    :return: names of files, and their texts.
    :raises InvalidRequestError: a key cannot be read, or the jump host wants a password.
    """
    target, jump = route.target, route.jump
    files = {INVENTORY: _write_inventory(target, name)}
    config = _write_host(name, target, files, through=_JUMP if jump is not None else None)
    if jump is not None:
        if jump.password and not (jump.key_file or jump.private_key):
            raise InvalidRequestError(
                f"{jump.name} is logged into by a password, which Ansible cannot give",
                remedy="give its connection a key",
            )
        config += _write_host(_JUMP, jump, files, through=None)
    return {**files, SSH_CONFIG: config}


def _write_inventory(target: SshTarget, name: str) -> str:
    """Write an inventory of one node: YAML whose scalars are JSON's."""
    plain = {
        "ansible_host": name,
        "ansible_user": target.user,
        "ansible_ssh_common_args": f"-F {FOLDER}/{SSH_CONFIG}",
    }
    secret = {"ansible_password": target.password} if target.password else {}
    if target.user != ROOT:
        plain |= {"ansible_become": "true", "ansible_become_method": "sudo"}
        secret |= {"ansible_become_password": target.password} if target.password else {}
    lines = [f"{key}: {json.dumps(text)}" for key, text in plain.items()]
    lines += [f"{key}: !unsafe {json.dumps(text)}" for key, text in secret.items()]  # braces are no template
    return f"all:\n  hosts:\n    {json.dumps(name)}:\n" + "".join(f"      {line}\n" for line in lines)


def _write_host(alias: str, target: SshTarget, files: dict[str, str], *, through: str | None) -> str:
    known = f"known_hosts.{alias}"
    key_alias = _find_key_alias(target)
    files[known] = _write_known_hosts(target, key_alias)
    lines = [
        f"Host {alias}",
        f"  HostName {target.address}",
        f"  HostKeyAlias {key_alias}",
        f"  Port {target.port}",
        f"  User {target.user}",
        f"  UserKnownHostsFile {FOLDER}/{known}",
        "  GlobalKnownHostsFile /dev/null",
        "  StrictHostKeyChecking yes",
        "  CheckHostIP no",
        f"  ConnectTimeout {max(1, round(target.connect_timeout_seconds))}",
        f"  ServerAliveInterval {target.keepalive_seconds}",
        "  ServerAliveCountMax 2",
    ]
    key = _read_key(target)
    if key is not None:
        files[f"key.{alias}"] = key
        lines += [f"  IdentityFile {FOLDER}/key.{alias}", "  IdentitiesOnly yes", "  IdentityAgent none"]
    if through is not None:
        lines.append(f"  ProxyCommand ssh -F {FOLDER}/{SSH_CONFIG} -W [%h]:%p {through}")
    return "\n".join(lines) + "\n"


def _find_key_alias(target: SshTarget) -> str:
    """Return the name under which OpenSSH looks for host keys, and that certificates must be for."""
    return target.host if _ADDRESS.fullmatch(target.address) else target.address


def _write_known_hosts(target: SshTarget, alias: str) -> str:
    """Write what proves the host, under one name whatever names it had.

    :raises InvalidRequestError: the connection's known hosts cannot be read.
    """
    accepted = find_accepted_keys(target)
    name = alias if target.port == SSH_PORT else f"[{alias}]:{target.port}"
    names = alias if name == alias else f"{alias},{name}"
    lines = [f"{names} {key}" for key in sorted(accepted.known)]
    lines += [f"@cert-authority {names} {key}" for key in sorted(accepted.authorities)]
    lines += [f"@revoked * {key}" for key in sorted(accepted.revoked)]
    return "\n".join(lines) + "\n"


def _read_key(target: SshTarget) -> str | None:
    """Return the private key as OpenSSH reads it without a passphrase; None: the user's own keys are tried.

    :raises InvalidRequestError: it cannot be read.
    """
    if target.key_file is None and target.private_key is None:
        return None
    try:
        text = target.private_key or (target.key_file.read_text() if target.key_file else "")
        data = text.strip().encode() + b"\n"
        secret = target.private_key_passphrase.encode() if target.private_key_passphrase else None
        load = load_ssh_private_key if data.startswith(_SEED.encode()) else load_pem_private_key
        key = load(data, secret)
        return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise InvalidRequestError(
            f"{target.name}: the key of the SSH connection cannot be read: {type(exc).__name__}",
            remedy="give an OpenSSH Ed25519, ECDSA or RSA key and its private_key_passphrase",
        ) from exc
