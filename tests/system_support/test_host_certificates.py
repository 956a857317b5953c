from __future__ import annotations

import base64
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from escalator.system_support.host_certificates import find_certificate_fault

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NAMES = ("192.0.2.7", "node-07")


class Authority:
    """An authority of a kind, and host certificates that it signs."""

    def __init__(self, folder: Path, kind: str = "ed25519") -> None:
        self.folder = folder
        self.path = self._make(f"ca_{kind}", kind)
        self.host = self._make("host", "ed25519")
        self.public = " ".join(self.path.with_suffix(".pub").read_text().split()[:2])

    def _make(self, name: str, kind: str) -> Path:
        path = self.folder / name
        if not path.exists():
            command = ["ssh-keygen", "-q", "-N", "", "-t", kind, "-f", str(path)]
            subprocess.run([*command, *(["-b", "2048"] if kind == "rsa" else [])], check=True)
        return path

    def sign(self, *options: str) -> tuple[str, bytes]:
        command = ["ssh-keygen", "-q", "-s", str(self.path), "-I", "id", *options, f"{self.host}.pub"]
        subprocess.run(command, check=True, env={**os.environ, "TZ": "UTC"})
        kind, blob = Path(f"{self.host}-cert.pub").read_text().split()[:2]
        return kind, base64.b64decode(blob)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


def judge(authority: Authority, certificate: tuple[str, bytes]) -> str | None:
    return find_certificate_fault(*certificate, authorities={authority.public}, names=NAMES, now=NOW)


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_authorities_of_every_kind_sign(folder: Path, kind: str) -> None:
    authority = Authority(folder, kind)
    assert judge(authority, authority.sign("-h", "-n", "node-07")) is None


@pytest.mark.parametrize(
    "options",
    [
        ("-h",),  # for every host
        ("-h", "-n", "other,192.0.2.7"),
        ("-h", "-n", "node-*"),
        ("-h", "-V", "20261122:20261123"),
    ],
)
def test_what_a_certificate_is_good_for(authority: Authority, options: tuple[str, ...]) -> None:
    assert judge(authority, authority.sign(*options)) is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-n", "node-07"), "it is the certificate of a user"),
        (("-h", "-n", "node-08"), "it is for node-08, not for 192.0.2.7 or node-07"),
        (("-h", "-V", "20261123:20261124"), "it is valid from 2026-11-23"),
        (("-h", "-V", "20200101:20261121"), "it is valid from 2020-01-01"),
        (("-h", "-O", "critical:x@example.com=1"), "options that are not known: x@example.com"),
    ],
)
def test_what_it_is_not_good_for(authority: Authority, options: tuple[str, ...], said: str) -> None:
    assert said in str(judge(authority, authority.sign(*options)))


def test_a_certificate_that_was_changed_or_is_none_proves_nothing(authority: Authority) -> None:
    kind, blob = authority.sign("-h", "-n", "node-07")
    for wrong in (blob.replace(b"node-07", b"node-08"), blob[:-3], b"", blob + b"x"):
        assert "it cannot be verified" in str(judge(authority, (kind, wrong)))
    assert judge(authority, ("ssh-ed25519", base64.b64decode(authority.public.split()[1]))) == (
        "it is no certificate"
    )
    assert "it is signed by another authority" in str(
        find_certificate_fault(kind, blob, authorities=(), names=NAMES, now=NOW)
    )
