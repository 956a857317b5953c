"""A node whose SSH user is not root: sudo wants a password, the login prints, user and port are its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from escalator.airflow_client.records import Connection
from escalator.demo.demo_world import CLOUD, SSH_CONNECTION
from escalator.inventory.inventory_file import find_inventory_path, read_inventory, write_inventory
from escalator.lab.nodes import Node
from tests.campaigns.harness import NEW, Harness
from tests.system_support.accounts import BASHRC

pytestmark = [pytest.mark.lab, pytest.mark.stack]
HOST, USER, PORT = "node-04", "ops", 2022
PASSWORD = "it's a $ecret"  # a test's
SSHD_LOG, SUDO_LOG = "/var/log/ops-sshd.log", "/var/log/ops-sudo.log"

_ACCOUNT = r"""
set -eu
home=/var/lib/ops
useradd --home-dir $home --create-home --shell /bin/bash --password "$1" ops
printf '%s' "$2" >$home/.bashrc
install -d -o ops $home/.ssh
printf '%s\n' "$3" >$home/.ssh/authorized_keys
cat >/etc/sudoers.d/ops <<END
Defaults env_keep += "UV_* PYTHONPYCACHEPREFIX", logfile=@SUDO_LOG@, loglinelen=0
ops ALL=(ALL:ALL) ALL
END
chmod 0440 /etc/sudoers.d/ops
cat /etc/ssh/sshd_config.d/*.conf | sed 's/^Port .*/Port @PORT@/' >/etc/ops-sshd
printf 'AllowUsers ops\nUsePAM yes\nPidFile /run/ops-sshd.pid\n' >>/etc/ops-sshd
/usr/sbin/sshd -f /etc/ops-sshd -E @SSHD_LOG@
"""
"""Makes the account, its sudo and an sshd for it."""
_AWAY = """
kill "$(cat /run/ops-sshd.pid)"
rm -rf /etc/ops-sshd /etc/sudoers.d/ops @SSHD_LOG@ @SUDO_LOG@
userdel --force --remove ops
"""


def in_node(node: Node, script: str, *arguments: str) -> str:
    for name, value in (("@PORT@", str(PORT)), ("@SSHD_LOG@", SSHD_LOG), ("@SUDO_LOG@", SUDO_LOG)):
        script = script.replace(name, value)
    return node.console("/bin/sh", "-c", script, "sh", *arguments).stdout


def give_account(node: Node) -> None:
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
    ).stdout.strip()
    key = node.settings.ssh_key.with_suffix(".pub").read_text().strip()
    in_node(node, _ACCOUNT, hashed, BASHRC, key)


def tell_airflow(harness: Harness, node: Node) -> None:
    """Put user and port of the node into the inventory, the password into the connection."""
    world, ssh = harness.world, harness.world.description()["ssh"]
    path = find_inventory_path(world.inventory_dir, CLOUD)
    inventory = read_inventory(path)
    nodes = (
        replace(n, address=f"{USER}@{n.address}:{PORT}") if n.host == HOST else n for n in inventory.nodes
    )
    write_inventory(path, replace(inventory, nodes=tuple(nodes)))
    public = " ".join(node.known_host().split()[1:3])
    known = world.folder / "known_hosts"
    known.write_text(f"[{node.address}]:{PORT} {public}\n")
    harness.client.ensure_connection(
        Connection(
            connection_id=SSH_CONNECTION,
            conn_type="ssh",
            login="root",
            port=ssh["port"],
            password=PASSWORD,
            extra=json.dumps({"key_file": ssh["key_file"], "known_hosts": str(known)}),
        )
    )


@pytest.fixture(scope="module")
def sudone(harness: Harness) -> Iterator[dict[str, Any]]:
    harness.fresh(4)
    node = harness.lab.node(HOST)
    give_account(node)
    try:
        tell_airflow(harness, node)
        run = harness.trigger(hosts=[HOST])
        state = harness.wait(run)
        yield {
            "run": run,
            "state": state,
            "sshd": in_node(node, "cat @SSHD_LOG@"),
            "sudo": in_node(node, "cat @SUDO_LOG@"),
        }
    finally:
        harness.world.write_inventory()
        harness.world.connect_airflow(harness.stack)
        in_node(node, _AWAY)


def test_the_node_is_upgraded_and_given_back(harness: Harness, sudone: dict[str, Any]) -> None:
    assert sudone["state"] == "success", harness.states(sudone["run"])
    assert harness.running(HOST) == NEW
    service = harness.services()[HOST]
    assert (service.status, service.disabled_reason) == ("enabled", None)


def test_every_log_in_was_the_users_and_every_command_went_through_sudo(sudone: dict[str, Any]) -> None:
    assert f"Accepted publickey for {USER}" in sudone["sshd"]
    commands = sudone["sudo"].count("COMMAND=/bin/sh -c")
    assert commands >= sudone["sshd"].count("Accepted publickey")  # each login ran something
    assert "systemctl is-active" in sudone["sudo"]
    assert "incorrect password" not in sudone["sudo"]


def test_nobody_sees_the_password(harness: Harness, sudone: dict[str, Any]) -> None:
    assert PASSWORD not in sudone["sudo"]
    for step in ("admit", "precheck", "upgrade", "verify"):
        assert PASSWORD not in harness.log(sudone["run"], f"{HOST}.{step}")
