"""What makes a machine itself: its name, its address, its keys, where its packages come from."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.lab.ssh_keys import ensure_key, write_known_host

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY_MOUNT = "/srv/lab-apt"
KEYRING = "/etc/apt/keyrings/escalator-lab.asc"
USERS = ("root", "escalator")
"""Whom the lab's key opens a machine to; the second one has no rights, as long as nobody gives him some."""
_KEYS = "etc/ssh/authorized_keys"
HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
IDENTITY = (HOST_KEY, f"{HOST_KEY}.pub", "etc/machine-id")
"""What a machine stays the same by, whatever becomes of the rest of its disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFiles:
    """The files that a machine has of its own, before its first boot.

    :param name: its host name.
    :param address: of its sshd.
    :param ssh_port: of its sshd.
    :param authorized_key: the public key that opens it to ``USERS``.
    :param repository_key: the public key (armoured) of the apt repository; empty where there is none.
    :param texts: path in the machine -> content of what else it has from the beginning.
    """

    name: str
    address: str
    ssh_port: int
    authorized_key: str
    repository_key: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)

    def ensure_written(self, upper: Path) -> None:
        """Write the files into the machine's layer; a host key and an identity that are there are kept."""
        upper.mkdir(parents=True, exist_ok=True)
        for path, text in self._texts().items():
            _write(upper / path, text)
        identity = upper / "etc" / "machine-id"
        if not identity.exists():
            _write(identity, f"{uuid.uuid4().hex}\n")
        ensure_key(upper / HOST_KEY, owner=self.name)

    def known_host(self, upper: Path) -> str:
        """Return the line of a known_hosts file that proves this machine."""
        public_key = (upper / f"{HOST_KEY}.pub").read_text()
        return write_known_host(public_key, names=(self.address, self.name), port=self.ssh_port)

    def _texts(self) -> Mapping[str, str]:
        texts = {
            "etc/hostname": f"{self.name}\n",
            "etc/hosts": f"127.0.0.1 localhost\n{self.address} {self.name}\n",
            "etc/ssh/sshd_config.d/escalator-lab.conf": self._sshd(),
            **{keys_of(user): self.authorized_key for user in USERS},
            # the lists of Debian's own archive would be fetched over the network at each update
            "etc/apt/sources.list": "# a machine of the lab's: see sources.list.d\n",
        }
        if self.repository_key:
            texts[KEYRING.removeprefix("/")] = self.repository_key
            texts["etc/apt/sources.list.d/escalator-lab.sources"] = source_of(REPOSITORY_MOUNT)
        return {**texts, **self.texts}

    def _sshd(self) -> str:
        options = {
            "ListenAddress": self.address,
            "Port": self.ssh_port,
            "HostKey": f"/{HOST_KEY}",
            # a home folder made in this layer would hide whose it is in the layer below
            "AuthorizedKeysFile": f".ssh/authorized_keys /{keys_of('%u')}",
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "UseDNS": "no",
            "MaxSessions": 50,
            "MaxStartups": "50:30:100",
        }
        return "".join(f"{key} {value}\n" for key, value in options.items())


def keys_of(user: str) -> str:
    """Return the file in a machine, beside that of the home folder, with the keys that open it to a user."""
    return f"{_KEYS}/{user}"


def source_of(mount: str) -> str:
    """Return what makes apt take packages from a repository of the lab's, by where a machine sees it."""
    # copy, not file: a download goes to the cache of archives as it does from a server
    return f"Types: deb\nURIs: copy:{mount}\nSuites: ./\nSigned-By: {KEYRING}\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
