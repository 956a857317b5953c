"""The SSH keys of a lab: each is made once; a host key proves its node by a line of a known_hosts file."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from escalator.lab.errors import ServiceFailedError
from escalator.lab.settings import NODE_SSH_PORT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def ensure_key(key: Path, *, owner: str) -> None:
    """Make a key and its public half; one that is there is kept.

    :param key: its file; the folder has to be there.
    :raises ServiceFailedError: when ssh-keygen fails.
    """
    if key.exists():
        return
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", owner, "-f", str(key)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServiceFailedError(f"ssh-keygen failed: {done.stderr.strip()}")


def write_known_host(public_key: str, *, names: Sequence[str], port: int) -> str:
    """Return the line of a known_hosts file that proves a node by its public key."""
    kind, key = public_key.split()[:2]
    written = names if port == NODE_SSH_PORT else [f"[{name}]:{port}" for name in names]
    return f"{','.join(written)} {kind} {key}\n"
