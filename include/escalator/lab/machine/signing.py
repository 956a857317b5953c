"""The key that the lab's apt repository is signed with."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from escalator.lab.errors import LabError

OWNER = "Escalator lab <lab@example.org>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key pair of the lab's own, in two files; the user's own key ring is never touched.

    :param folder: of the two files.
    """

    folder: Path

    @property
    def secret(self) -> Path:
        """Return the file of the secret key."""
        return self.folder / "secret.asc"

    @property
    def public(self) -> Path:
        """Return the file of the public key, armoured."""
        return self.folder / "public.asc"

    def ensure(self) -> None:
        """Make the key; one that is there stays.

        :raises LabError: when gpg cannot make it.
        """
        if self.secret.exists() and self.public.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _key_ring() as ring:
            generate = ("--passphrase", "", "--quick-generate-key", OWNER, "ed25519", "sign", "never")
            _gpg(ring, *generate)
            self.public.write_text(_gpg(ring, "--armor", "--export"))
            self.secret.touch(mode=0o600)
            self.secret.write_text(_gpg(ring, "--armor", "--export-secret-keys"))

    def sign(self, document: Path, *, inline: Path, detached: Path) -> None:
        """Sign a document twice, as apt wants it: once with its text inside, once beside it.

        :raises LabError: when gpg refuses.
        """
        with _key_ring() as ring:
            _gpg(ring, "--import", str(self.secret))
            _gpg(ring, "--output", str(inline), "--clear-sign", str(document))
            _gpg(ring, "--output", str(detached), "--armor", "--detach-sign", str(document))


@contextmanager
def _key_ring() -> Iterator[Path]:
    """Give gpg a key ring for a moment, and end the agent that it starts."""
    with tempfile.TemporaryDirectory(prefix="lab-gpg-") as folder:  # short: an agent's socket has 108 bytes
        try:
            yield Path(folder)
        finally:
            end = ["gpgconf", "--homedir", folder, "--kill", "all"]
            subprocess.run(end, capture_output=True, check=False)


def _gpg(ring: Path, *arguments: str) -> str:
    command = ["gpg", "--homedir", str(ring), "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"]
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
    )
    if done.returncode != 0:
        raise LabError(f"gpg failed with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
