"""Make the databases of a new cloud and fill in what every cloud has; or copy all that from a template."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from escalator.lab.config import DATABASES, PASSWORD, REGION, ControlConfig
from escalator.lab.errors import LabError
from escalator.lab.pins import CONTROL_PLANE, digest
from escalator.lab.services import as_postgres, clean_environment, postgresql_bin, run_sql
from escalator.lab.settings import LabSettings, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from escalator.lab.api import Cloud
    from escalator.lab.progress import Progress

    Command = list[str | Path]

FLAVORS = {"m1.tiny": (1, 512, 1), "m1.small": (1, 2048, 10), "m1.large": (4, 8192, 40)}
IMAGE = "tiny"
NETWORK = "lab-net"
TEMPLATE_VERSION = "2"
_KEEP = ("postgresql", "fernet", "credential", "glance")
_SERVICES = {"nova": "compute", "placement": "placement", "glance": "image", "neutron": "network"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """The databases of one lab instance, from nothing or from the template.

    :param config: of the control plane.
    """

    config: ControlConfig
    progress: Progress

    @property
    def settings(self) -> LabSettings:
        """Return the settings of the lab."""
        return self.config.settings

    @property
    def template(self) -> Path:
        """Return the folder of the template; it is another one for other packages."""
        basis = (TEMPLATE_VERSION, *CONTROL_PLANE, *FLAVORS, str(postgresql_bin()))
        return self.settings.home / "templates" / digest(*basis)

    def restore(self) -> bool:
        """Copy the template, if there is one; tell whether there was. PostgreSQL must not run."""
        if not (self.template / "made-by.json").exists():
            return False
        for name in _KEEP:
            # -T: into the folder that may be there already, not as a folder in it
            subprocess.run(["cp", "-aT", self.template / name, self.config.state / name], check=True)
        return True

    def adopt(self) -> None:
        """Make ports and paths of the instance that made the template our own. PostgreSQL must run."""
        images = f"file://{self.config.state / 'glance'}/"
        location = f"regexp_replace(value, '^file://.*/', '{images}')"
        run_sql(self.settings, "glance", f"UPDATE image_locations SET value = {location}")  # noqa: S608
        maker = Ports(**json.loads((self.template / "made-by.json").read_text()))
        if maker == self.settings.ports:
            return
        for name, column, table in (
            ("keystone", "url", "endpoint"),
            ("nova_api", "transport_url", "cell_mappings"),
            ("nova_api", "database_connection", "cell_mappings"),
        ):
            ours = self.settings.ports.as_dict()
            changes = column
            for service, port in maker.as_dict().items():
                changes = f"replace({changes}, '127.0.0.1:{port}', '127.0.0.1:{ours[service]}')"
            run_sql(self.settings, name, f"UPDATE {table} SET {column} = {changes}")  # noqa: S608

    def map_hosts(self, hosts: Sequence[str]) -> None:
        """Tell Nova which cell the nodes belong to, as ``nova-manage cell_v2 discover_hosts`` does.

        Its scheduler would find them too, once they run, but up to half a minute later. PostgreSQL must run.
        """
        names = ", ".join(f"('{host}')" for host in hosts)
        run_sql(
            self.settings,
            "nova_api",
            "INSERT INTO host_mappings (created_at, cell_id, host) "  # noqa: S608  (names of our own making)
            f"SELECT now(), cell.id, node.host FROM cell_mappings cell, (VALUES {names}) AS node (host) "
            "WHERE cell.name = 'cell1' ON CONFLICT (host) DO NOTHING",
        )

    def initialise(self) -> None:
        """Make an empty PostgreSQL cluster. PostgreSQL must not run."""
        data = self.config.state / "postgresql"
        data.mkdir(parents=True, mode=0o700)
        shutil.chown(data, "postgres", "postgres")
        script = (
            'mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/d && mount --bind "$0" /run/d && exec "$@"'
        )
        initdb: Command = [
            postgresql_bin() / "initdb",
            "-D",
            "/run/d",
            "-A",
            "trust",
            "-U",
            "lab",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        self._run(
            ["unshare", "--mount", "sh", "-c", script, data, *as_postgres(), *initdb, "--locale=C.UTF-8"]
        )

    def make_schemas(self) -> None:
        """Create the databases and their tables, all services side by side."""
        for name in DATABASES:
            run_sql(self.settings, "postgres", f"CREATE DATABASE {name}")
        chains = self._schema_commands()
        with ThreadPoolExecutor(max_workers=len(chains)) as pool:
            jobs = [pool.submit(self._run_chain, name, chain) for name, chain in chains.items()]
            for job in jobs:
                job.result()

    def save_template(self) -> None:
        """Copy the running databases and keys, so that the next lab starts from them."""
        draft = self.template.with_suffix(f".{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        server = ["-h", "127.0.0.1", "-p", str(self.settings.ports.postgresql), "-U", "lab"]
        self._run(
            [
                postgresql_bin() / "pg_basebackup",
                *server,
                "-D",
                draft / "postgresql",
                "-c",
                "fast",
                "-X",
                "stream",
            ]
        )
        for path in (draft / "postgresql", *(draft / "postgresql").rglob("*")):
            shutil.chown(path, "postgres", "postgres")
        for name in _KEEP[1:]:
            subprocess.run(["cp", "-a", self.config.state / name, draft / name], check=True)
        (draft / "made-by.json").write_text(json.dumps(self.settings.ports.as_dict()))
        with contextlib.suppress(OSError):  # another lab may have made it meanwhile: as good as ours
            draft.replace(self.template)
        shutil.rmtree(draft, ignore_errors=True)

    def _schema_commands(self) -> dict[str, list[Command]]:
        etc, bin_dir = self.config.etc, self.settings.control_venv / "bin"
        keystone: Command = [bin_dir / "keystone-manage", "--config-file", etc / "keystone/keystone.conf"]
        nova: Command = [bin_dir / "nova-manage", "--config-file", etc / "nova/nova.conf"]
        cell = ["--database_connection", self.config.database("nova_cell1")]
        as_root = ["--keystone-user", "root", "--keystone-group", "root"]
        auth = self.config.auth_url
        urls = [
            part for kind in ("admin", "internal", "public") for part in (f"--bootstrap-{kind}-url", auth)
        ]
        neutron = (
            "import sys; from sqlalchemy import create_engine; from neutron.db.migration.models import head;"
            "head.get_metadata().create_all(create_engine(sys.argv[1]))"
        )
        transport = ["--transport-url", self.config.transport_url]
        return {
            "keystone": [
                [*keystone, "db_sync"],
                [*keystone, "fernet_setup", *as_root],
                [*keystone, "credential_setup", *as_root],
                [
                    *keystone,
                    "bootstrap",
                    "--bootstrap-password",
                    PASSWORD,
                    *urls,
                    "--bootstrap-region-id",
                    REGION,
                ],
            ],
            "placement": [[bin_dir / "placement-manage", "--config-dir", etc / "placement", "db", "sync"]],
            "nova": [
                [*nova, "api_db", "sync"],
                [*nova, "cell_v2", "map_cell0", "--database_connection", self.config.database("nova_cell0")],
                [*nova, "db", "sync"],
                [*nova, "cell_v2", "create_cell", "--name", "cell1", *cell, *transport],
                [
                    bin_dir / "nova-manage",
                    "--config-file",
                    etc / "nova-cell1/nova.conf",
                    "db",
                    "sync",
                    "--local_cell",
                ],
            ],
            "glance": [
                [bin_dir / "glance-manage", "--config-file", etc / "glance/glance-api.conf", "db_sync"]
            ],
            "neutron": [[bin_dir / "python", "-c", neutron, self.config.database("neutron")]],
        }

    def _run_chain(self, name: str, chain: Sequence[Sequence[str | Path]]) -> None:
        for command in chain:
            self._run(command)
        self.progress.say(f"  tables of {name} made")

    def _run(self, command: Sequence[str | Path]) -> None:
        done = subprocess.run(
            [str(part) for part in command],
            env=clean_environment(),
            cwd=self.settings.run,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            output = (done.stdout + done.stderr).strip()[-2000:]
            raise LabError(f"{' '.join(map(str, command))} failed: {output}", "see the message above")


def make_catalogue(cloud: Cloud) -> None:
    """Create the services' users and endpoints, over Keystone's API."""
    project = cloud.post("keystone", "/projects", {"project": {"name": "service", "domain_id": "default"}})
    project_id = project["project"]["id"]
    roles = {role["name"]: role["id"] for role in cloud.get("keystone", "/roles")["roles"]}
    for name, kind in _SERVICES.items():
        user = {"name": name, "password": PASSWORD, "domain_id": "default"}
        user_id = cloud.post("keystone", "/users", {"user": user})["user"]["id"]
        for role in ("admin", "service"):
            cloud.put("keystone", f"/projects/{project_id}/users/{user_id}/roles/{roles[role]}")
        service = cloud.post("keystone", "/services", {"service": {"name": name, "type": kind}})["service"][
            "id"
        ]
        for interface in ("public", "internal", "admin"):
            endpoint = {
                "interface": interface,
                "region_id": REGION,
                "service_id": service,
                "url": cloud.config.endpoint(name),
            }
            cloud.post("keystone", "/endpoints", {"endpoint": endpoint})


def make_resources(cloud: Cloud) -> None:
    """Create the flavors, the image and the network that servers are booted with."""
    for name, shape in FLAVORS.items():
        make_flavor(cloud, name, *shape)
    make_image(cloud, IMAGE, "raw", bytes(4096))
    network_id = make_network(cloud, NETWORK)["id"]
    subnet = {"network_id": network_id, "cidr": "10.20.0.0/16", "ip_version": 4, "enable_dhcp": False}
    cloud.post("neutron", "/v2.0/subnets", {"subnet": subnet | {"name": "lab-subnet"}})


def make_flavor(cloud: Cloud, name: str, vcpus: int, memory_mib: int, disk_gib: int) -> None:
    """Create a flavor that has its name for its id."""
    flavor = {"name": name, "id": name, "vcpus": vcpus, "ram": memory_mib, "disk": disk_gib}
    cloud.post("nova", "/flavors", {"flavor": flavor})


def make_image(
    cloud: Cloud, name: str, kind: str, content: bytes, properties: Mapping[str, str] | None = None
) -> str:
    """Create an image that all may boot from, and return its id.

    :param kind: its disk format; for a kernel or an initial file system, its container format, too.
    """
    container = "bare" if kind == "raw" else kind
    body = {"name": name, "disk_format": kind, "container_format": container, "visibility": "public"}
    image_id = str(cloud.post("glance", "/v2/images", {**body, **(properties or {})})["id"])
    cloud.call("PUT", "glance", f"/v2/images/{image_id}/file", raw=content)
    return image_id


def make_network(cloud: Cloud, name: str) -> dict[str, Any]:
    """Create a network that all may use, and return it."""
    body = {"network": {"name": name, "shared": True}}
    return dict(cloud.post("neutron", "/v2.0/networks", body)["network"])
