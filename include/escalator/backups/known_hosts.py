"""The keys of hosts that a store over SFTP may have: those that the user knows, and no others."""

from __future__ import annotations

from pathlib import Path

import paramiko


class KnownHostsOnly(paramiko.MissingHostKeyPolicy):
    """Accepts the keys in ``~/.ssh/known_hosts``; a key that is not there is refused, whoever has it."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or Path("~/.ssh/known_hosts").expanduser()

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Look a key up.

        :raises paramiko.SSHException: it is not known.
        """
        del client
        known = paramiko.HostKeys(str(self._path) if self._path.is_file() else None)
        if not known.check(hostname, key):
            raise paramiko.SSHException(
                f"the {key.get_name()} key of {hostname} is not in {self._path}: put it there"
            )
