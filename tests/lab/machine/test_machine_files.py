from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from escalator.lab.machine.machine_files import MachineFiles

FILES = MachineFiles(
    name="node-01", address="127.0.200.1", ssh_port=22, authorized_key="ssh-ed25519 AAAA lab\n"
)


def test_a_machine_listens_on_its_own_address_and_opens_to_the_key_only(tmp_path: Path) -> None:
    FILES.ensure_written(tmp_path)
    sshd = (tmp_path / "etc/ssh/sshd_config.d/escalator-lab.conf").read_text().splitlines()
    assert "ListenAddress 127.0.200.1" in sshd
    assert "PasswordAuthentication no" in sshd
    assert "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys/%u" in sshd
    keys = tmp_path / "etc/ssh/authorized_keys"
    assert {path.name: path.read_text() for path in keys.iterdir()} == {
        "root": "ssh-ed25519 AAAA lab\n",
        "escalator": "ssh-ed25519 AAAA lab\n",
    }
    assert not (tmp_path / "root").exists()
    assert not (tmp_path / "home").exists()
    assert (tmp_path / "etc/hostname").read_text() == "node-01\n"


def test_what_identifies_a_machine_is_kept_when_its_files_are_written_again(tmp_path: Path) -> None:
    FILES.ensure_written(tmp_path)
    before = (tmp_path / "etc/machine-id").read_text(), FILES.known_host(tmp_path)
    FILES.ensure_written(tmp_path)
    assert (tmp_path / "etc/machine-id").read_text(), FILES.known_host(tmp_path) == before


def test_its_known_host_names_address_name_and_an_unusual_port(tmp_path: Path) -> None:
    FILES.ensure_written(tmp_path)
    assert FILES.known_host(tmp_path).startswith("127.0.200.1,node-01 ssh-ed25519 AAAA")
    elsewhere = replace(FILES, ssh_port=2222)
    assert elsewhere.known_host(tmp_path).startswith("[127.0.200.1]:2222,[node-01]:2222 ssh-ed25519 ")


def test_packages_come_from_the_signed_repository_and_from_nowhere_else(tmp_path: Path) -> None:
    replace(FILES, repository_key="-----BEGIN PGP PUBLIC KEY BLOCK-----\n").ensure_written(tmp_path)
    source = (tmp_path / "etc/apt/sources.list.d/escalator-lab.sources").read_text()
    signed_by = next(line.split()[1] for line in source.splitlines() if line.startswith("Signed-By"))
    assert (tmp_path / signed_by.lstrip("/")).read_text().startswith("-----BEGIN PGP PUBLIC KEY")
    assert "trusted" not in source
    assert "deb " not in (tmp_path / "etc/apt/sources.list").read_text()
