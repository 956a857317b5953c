"""The apt repository that machines take the lab's packages from: a folder, indexed and signed."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from escalator.lab.machine.signing import SigningKey

_VERSION = re.compile(r"^Package: (\S+)\n(?:\S.*\n|\s.*\n)*?Version: (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A flat repository: packages, index and signature in one folder.

    :param folder: of the repository; machines see it read-only.
    :param key: that it is signed with.
    """

    folder: Path
    key: SigningKey

    @property
    def is_published(self) -> bool:
        """Tell whether there is a signed index."""
        return (self.folder / "InRelease").exists()

    def read_versions(self) -> Mapping[str, str]:
        """Return package -> version of all that is published; nothing where nothing is.

        Each package is there once.
        """
        if not self.is_published:
            return {}
        index = (self.folder / "Packages").read_text()
        return dict(_VERSION.findall(index))

    def publish(self, now: datetime) -> None:
        """Index all packages of the folder and sign the index.

        Machines that read at this moment find the old index or the new one, each file whole.

        :param now: the date of the index, with its time zone.
        :raises LabError: when a package cannot be read or the index cannot be signed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key.ensure()
        stanzas = [stanza_of(package) for package in sorted(self.folder.glob("*.deb"))]
        index = "\n".join(stanzas).encode()
        release = self.folder / "Release.new"
        release.write_text(release_of({"Packages": index}, now))
        inline, detached = self.folder / "InRelease.new", self.folder / "Release.gpg.new"
        self.key.sign(release, inline=inline, detached=detached)
        packages = self.folder / "Packages.new"
        packages.write_bytes(index)
        for fresh in (packages, release, detached, inline):
            fresh.replace(fresh.with_suffix(""))


def stanza_of(package: Path) -> str:
    """Return what the index of a repository says about a package.

    :raises LabError: when the file is no Debian package.
    """
    done = subprocess.run(["dpkg-deb", "--field", str(package)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{package} cannot be read: {done.stderr.strip()}", f"remove {package}")
    with package.open("rb") as content:
        checksum = hashlib.file_digest(content, "sha256").hexdigest()
    size = package.stat().st_size
    return f"{done.stdout.rstrip()}\nFilename: ./{package.name}\nSize: {size}\nSHA256: {checksum}\n"


def release_of(indexes: dict[str, bytes], now: datetime) -> str:
    """Return the text that vouches for the indexes of a repository."""
    sums = [f" {hashlib.sha256(text).hexdigest()} {len(text)} {name}" for name, text in indexes.items()]
    head = ["Origin: escalator-lab", "Label: escalator-lab", "Suite: lab", "Architectures: amd64"]
    return "\n".join([*head, f"Date: {format_datetime(now, usegmt=True)}", "SHA256:", *sums, ""])
