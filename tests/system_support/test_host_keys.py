"""What of a known_hosts file counts for a node, by the rules of OpenSSH."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
from pathlib import Path

import pytest
from tests.system_support.conftest import make_key

from escalator.model.errors import InvalidRequestError
from escalator.system_support.host_keys import find_accepted_keys, write_server_name
from escalator.system_support.target import SshTarget


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = make_key(tmp_path_factory.mktemp("keys") / "key")
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def hashed(name: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def is_known(folder: Path, text: str, *, port: int = 22) -> bool:
    path = folder / "known_hosts"
    path.write_text(text)
    target = SshTarget(host="node-07.example.com", address="192.0.2.7", port=port, known_hosts=path)
    return bool(find_accepted_keys(target).keys.lookup(write_server_name(target)))


@pytest.mark.parametrize(
    ("names", "known"),
    [
        ("192.0.2.7", True),
        ("node-07.example.com", True),
        ("other,192.0.2.7", True),
        ("192.0.2.*", True),
        ("node-0?.example.com", True),
        (hashed("192.0.2.7"), True),
        (hashed("192.0.2.8"), False),
        ("|1|no|hash", False),
        ("*,!node-07.example.com", False),
        ("192.0.2.77", False),
        ("[192.0.2.7]:2222", False),
        ("#192.0.2.7", False),
    ],
)
def test_names_are_matched_as_openssh_does(tmp_path: Path, key: str, names: str, *, known: bool) -> None:
    assert is_known(tmp_path, f"{names} {key} a comment\n") is known
    assert is_known(tmp_path, f"\n# ours\n{names}\t{key.replace(' ', chr(9))}\n") is known


def test_a_port_of_its_own_is_part_of_the_name(tmp_path: Path, key: str) -> None:
    assert is_known(tmp_path, f"[192.0.2.7]:2222 {key}\n", port=2222)
    assert is_known(tmp_path, f"[*]:2222 {key}\n", port=2222)
    assert not is_known(tmp_path, f"192.0.2.7 {key}\n", port=2222)


def test_a_line_that_is_none_hides_no_other(tmp_path: Path, key: str) -> None:
    broken = "192.0.2.7\n192.0.2.7 ssh-ed25519\n192.0.2.7 ssh-ed25519 ????\n192.0.2.7 ssh-dss AAAA\n@what\n"
    assert is_known(tmp_path, f"{broken}192.0.2.7 {key}\n")


@pytest.mark.parametrize("marker", ["@cert-authority", "@revoked"])
def test_a_marked_key_is_no_known_key(tmp_path: Path, key: str, marker: str) -> None:
    assert not is_known(tmp_path, f"{marker} 192.0.2.7 {key}\n")
    target = SshTarget(host="n", address="192.0.2.7", known_hosts=tmp_path / "known_hosts", port=2222)
    found = find_accepted_keys(target)  # no port is needed there
    assert (found.authorities, found.revoked) == (
        (frozenset({key}), frozenset()) if marker == "@cert-authority" else (frozenset(), frozenset({key}))
    )


@pytest.mark.parametrize("content", [b"\xff\xfe1\x009\x002\x00", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "known_hosts"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(InvalidRequestError, match=f"known hosts file {path} cannot be read"):
        find_accepted_keys(SshTarget(host="n", address="192.0.2.7", known_hosts=path))


def test_it_agrees_with_what_ssh_keygen_finds(tmp_path: Path, key: str) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(f"192.0.2.7,node-07.example.com {key}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    assert "192.0.2.7" not in path.read_text()
    assert is_known(tmp_path, path.read_text())
