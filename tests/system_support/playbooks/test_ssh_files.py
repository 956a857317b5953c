"""OpenSSH itself takes what is written, and takes nobody for the node who is not."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.system_support.conftest import Sshd, make_key

from escalator.model.errors import InvalidRequestError
from escalator.system_support.playbooks.keeper import FOLDER
from escalator.system_support.playbooks.ssh_files import Route, write_ssh_files
from escalator.system_support.target import SshTarget


def write(route: Route, folder: Path, name: str = "node-01") -> Path:
    """Write the files as a run has them; returns the configuration."""
    for file, text in write_ssh_files(route, name).items():
        path = folder / file
        path.touch(mode=0o600)
        path.write_text(text.replace(FOLDER, str(folder)))
    return folder / "ssh_config"


def log_in(route: Route, folder: Path) -> subprocess.CompletedProcess[str]:
    config = write(route, folder)
    line = ["ssh", "-F", str(config), "-o", "BatchMode=yes", "node-01", "echo here"]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def node(own_sshd: Sshd) -> SshTarget:
    return own_sshd.target()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "run"
    made.mkdir()
    return made


def test_the_node_is_reached_straight_and_through_a_jump_host(node: SshTarget, folder: Path) -> None:
    assert log_in(Route(target=node), folder).stdout == "here\n"
    jump = replace(node, host="jump-01", role="jump host")
    assert log_in(Route(target=node, jump=jump), folder).stdout == "here\n"


def test_a_key_in_the_connection_is_used_without_its_passphrase(node: SshTarget, folder: Path) -> None:
    assert node.key_file is not None
    change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(node.key_file)]
    subprocess.run(change, check=True)
    text = node.key_file.read_text()
    target = replace(node, key_file=None, private_key=text, private_key_passphrase="secret")
    assert log_in(Route(target=target), folder).stdout == "here\n"
    target = replace(node, private_key_passphrase="secret")
    assert log_in(Route(target=target), folder).stdout == "here\n"


@pytest.mark.parametrize("which", ["node", "jump host"])
def test_another_host_key_is_refused(node: SshTarget, folder: Path, tmp_path: Path, which: str) -> None:
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    wrong = replace(node, host_key=" ".join(other.split()[:2]))
    route = Route(target=wrong) if which == "node" else Route(target=node, jump=wrong)
    done = log_in(route, folder)
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_a_host_certificate_proves_the_node(own_sshd: Sshd, folder: Path, tmp_path: Path) -> None:
    authority = make_key(tmp_path / "authority")
    host_key = own_sshd.home / "host_key"
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "x", "-h", "-n", "node-01", f"{host_key}.pub"]
    subprocess.run(sign, check=True)
    own_sshd.stop()
    own_sshd.options["HostCertificate"] = f"{host_key}-cert.pub"
    own_sshd.start()
    known = tmp_path / "known"
    known.write_text(f"@cert-authority node-* {authority.with_suffix('.pub').read_text()}")
    assert log_in(Route(target=own_sshd.target(known_hosts=known)), folder).stdout == "here\n"


def read_inventory(target: SshTarget) -> dict[str, object]:
    text = write_ssh_files(Route(target=target), "node-01")["inventory.yml"].replace("!unsafe ", "")
    found: dict[str, object] = yaml.safe_load(text)["all"]["hosts"]["node-01"]
    return found


def test_another_user_than_root_becomes_root_with_the_password_of_the_connection() -> None:
    target = SshTarget(host="node-01", address="192.0.2.1", known_hosts=Path("/dev/null"))
    assert read_inventory(target) == {
        "ansible_host": "node-01",
        "ansible_user": "root",
        "ansible_ssh_common_args": "-F {folder}/ssh_config",
    }
    found = read_inventory(replace(target, user="ops", password='{{ it\'s }} a "$ecret"'))
    assert found["ansible_become"] == "true"
    assert found["ansible_password"] == found["ansible_become_password"] == '{{ it\'s }} a "$ecret"'


def test_what_cannot_be_given_to_ansible_is_said(node: SshTarget) -> None:
    jump = replace(node, host="jump-01", role="jump host", key_file=None, password="secret")
    with pytest.raises(InvalidRequestError, match="jump host jump-01 is logged into by a password"):
        write_ssh_files(Route(target=node, jump=jump), "node-01")
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        write_ssh_files(Route(target=replace(node, key_file=None, private_key="x")), "node-01")
