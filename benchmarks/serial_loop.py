"""The baseline: what an operator does by hand. One node after the other, one server after the other.

``openstack compute service set --disable``, ``openstack server migrate --live-migration --wait`` for each
server, the link and the restart over SSH, ``openstack compute service set --enable``.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass

from escalator.demo.demo_world import CLOUD, DemoWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopNode:
    """How one node went: all times in seconds."""

    host: str
    wall: float
    migrating: float
    upgrading: float
    moved: int
    calls: int


class SerialLoop:
    """Runs the loop over the lab with the OpenStack command line.

    :param world: the lab.
    :param release: what the nodes are brought to.
    """

    def __init__(self, world: DemoWorld, release: str) -> None:
        self.world = world
        self.release = release
        self._env = {
            **os.environ,
            "OS_CLIENT_CONFIG_FILE": str(world.clouds_yaml),
            "OS_CLOUD": CLOUD,
            "PYTHONWARNINGS": "ignore",
        }
        self._calls = 0

    def openstack(self, *words: str) -> str:
        """Run one command of the OpenStack client and count its requests."""
        program = str(self.world.lab.settings.control_venv / "bin" / "openstack")
        command = [program, "--debug", "--os-compute-api-version", "2.90", *words]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=True)
        self._calls += done.stderr.count("REQ: curl")
        return done.stdout

    def node(self, host: str) -> LoopNode:
        """Upgrade one node."""
        begun, self._calls = time.monotonic(), 0
        self.openstack(
            "compute", "service", "set", "--disable", "--disable-reason", "upgrade", host, "nova-compute"
        )
        listed = self.openstack("server", "list", "--all-projects", "--host", host, "-f", "json")
        servers = [row["ID"] for row in json.loads(listed)]
        before, migrating = self._calls, 0.0
        for server in servers:
            at = time.monotonic()
            self.openstack("server", "migrate", "--live-migration", "--wait", server)
            migrating += time.monotonic() - at
        calls = self._calls - before
        at = time.monotonic()
        self.on_node(
            host, f"ln -sfn /opt/nova/venv-{self.release} /opt/nova/venv && systemctl restart nova-compute"
        )
        upgrading = time.monotonic() - at
        self._wait_up(host)
        self.openstack("compute", "service", "set", "--enable", host, "nova-compute")
        return LoopNode(
            host=host,
            wall=time.monotonic() - begun,
            migrating=migrating,
            upgrading=upgrading,
            moved=len(servers),
            calls=calls,
        )

    def on_node(self, host: str, command: str) -> None:
        """Run one command on a node over SSH."""
        ssh = self.world.description()["ssh"]
        options = [
            "-i",
            ssh["key_file"],
            "-o",
            f"UserKnownHostsFile={ssh['known_hosts']}",
            "-o",
            "LogLevel=ERROR",
        ]
        target = f"{ssh['user']}@{self.world.lab.settings.address(host)}"
        subprocess.run(["ssh", *map(str, options), target, command], check=True, capture_output=True)

    def _wait_up(self, host: str) -> None:
        while True:
            listed = self.openstack(
                "compute", "service", "list", "--host", host, "--service", "nova-compute", "-f", "json"
            )
            if json.loads(listed)[0]["State"] == "up":
                return
