"""The lab and Airflow side by side, wired: inventory, connections, ledger, reports."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.airflow_client.records import Connection
from escalator.airflow_stack.settings import StackSettings
from escalator.airflow_stack.stack import AirflowStack
from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.inventory.inventory_file import write_inventory
from escalator.inventory.read_nodes import read_inventory_of_cloud
from escalator.lab.lab import Lab
from escalator.lab.progress import Progress
from escalator.ledger.ledger import Ledger
from escalator.model.errors import InvalidRequestError
from escalator.settings.places import (
    BACKUP_VARIABLE,
    BUNDLE_VARIABLE,
    REPORT_VARIABLE,
    VNF_VARIABLE,
    find_own_bundle_dir,
)
from escalator.settings.sharing import INVENTORY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOUD = "lab"
CLOUD_CONNECTION = "lab"
SSH_CONNECTION = "lab_ssh"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoWorld:
    """A lab, an Airflow that knows it, and the folder of what they leave.

    :param folder: inventory, VNF files and reports.
    :param bundle_dir: bundles to choose from, when not those of the checkout.
    """

    lab: Lab
    folder: Path
    stack_home: Path
    instance: int
    checkout: Path
    bundle_dir: Path | None = None
    heartbeat_timeout_seconds: int = 30

    @property
    def inventory_dir(self) -> Path:
        """Return the folder of the inventory files."""
        return self.folder / "inventory"

    @property
    def report_dir(self) -> Path:
        """Return the folder of the campaign reports."""
        return self.folder / "reports"

    @property
    def vnf_dir(self) -> Path:
        """Return the folder of the VNF files."""
        return self.folder / "vnfs"

    @property
    def backup_dir(self) -> Path:
        """Return the folder that nodes are saved to before they are changed."""
        return self.folder / "backups"

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment that Airflow's components get of this world, beside the ledger's address."""
        return {
            INVENTORY_VARIABLE: str(self.inventory_dir),
            VNF_VARIABLE: str(self.vnf_dir),
            REPORT_VARIABLE: str(self.report_dir),
            BACKUP_VARIABLE: str(self.backup_dir),
            "ESCALATOR_GUEST_EVENTS": str(self.lab.settings.hypervisors / "*" / "guest-events.jsonl"),
            **({BUNDLE_VARIABLE: str(self.bundle_dir)} if self.bundle_dir else {}),
        }

    def stack(self, progress: Progress) -> AirflowStack:
        """Return the Airflow of this world."""
        for made in (self.vnf_dir, self.backup_dir):
            made.mkdir(parents=True, exist_ok=True)
        settings = StackSettings(
            home=self.stack_home,
            instance=self.instance,
            checkout=self.checkout,
            heartbeat_timeout_seconds=self.heartbeat_timeout_seconds,
            pools={},  # the plugin makes the one there is
            extra_env=self.variables,
        )
        return AirflowStack(settings, progress=progress)

    def cloud(self) -> Cloud:
        """Open the lab's cloud as its administrator."""
        counter = CallCounter()
        credentials = CloudCredentials.from_clouds_yaml(CLOUD, path=self.clouds_yaml)
        return Cloud(connect(credentials, counter), counter)

    @property
    def clouds_yaml(self) -> Path:
        """Return the file with the lab's address and password."""
        return self.lab.settings.run / "clouds.yaml"

    def write_inventory(self) -> None:
        """Read the lab and write the inventory that the DAGs are made from."""
        found = read_inventory_of_cloud(
            self.cloud(),
            CLOUD,
            addresses={host: self.lab.settings.address(host) for host in self.lab.settings.hosts},
            cloud_conn_id=CLOUD_CONNECTION,
            ssh_conn_id=SSH_CONNECTION,
        )
        write_inventory(self.inventory_dir / f"{CLOUD}.json", found.inventory)

    def connect_airflow(self, stack: AirflowStack) -> None:
        """Tell Airflow how to reach the cloud and its nodes, and make the ledger's schema."""
        Ledger.create_or_upgrade(stack.database_url("escalator"))
        ssh = self.description()["ssh"]
        with stack.client() as client:
            client.ensure_connection(
                Connection(
                    connection_id=CLOUD_CONNECTION,
                    conn_type="openstack",
                    extra=json.dumps({"cloud": CLOUD, "clouds_yaml": str(self.clouds_yaml)}),
                )
            )
            client.ensure_connection(
                Connection(
                    connection_id=SSH_CONNECTION,
                    conn_type="ssh",
                    login=ssh["user"],
                    port=ssh["port"],
                    extra=json.dumps({"key_file": ssh["key_file"], "known_hosts": ssh["known_hosts"]}),
                )
            )

    def description(self) -> dict[str, Any]:
        """Read what the lab says of itself: addresses, keys.

        :raises InvalidRequestError: the lab does not run.
        """
        path = self.lab.settings.run / "lab.json"
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except OSError as exc:
            raise InvalidRequestError("the lab does not run", remedy="escalator lab up") from exc
        return document


def offer_bundles(folder: Path, more: Mapping[str, str]) -> None:
    """Put the bundles that came along into a folder, and more beside them; a second run does the same again.

    :param more: name of a file -> its text.
    """
    shutil.copytree(find_own_bundle_dir(), folder, dirs_exist_ok=True)
    for name, text in more.items():
        (folder / name).write_text(text, encoding="utf-8")
