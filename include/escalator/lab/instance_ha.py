"""Masakari in the lab: its real API with every node in one segment, and no engine that recovers anything.

It is started where somebody asks for it, so that labs without it are none the slower. What it keeps is in a
file: it goes with the run folder.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from escalator.lab.accounts import ensure_user
from escalator.lab.config import PASSWORD, REGION, ControlConfig, Ini, render
from escalator.lab.errors import LabError
from escalator.lab.install import Installer
from escalator.lab.services import Service, ServiceRunner, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from escalator.lab.api import Cloud
    from escalator.lab.progress import Progress

NAME, SERVICE_TYPE = "masakari", "instance-ha"
SEGMENT = "lab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Masakari:
    """The instance HA service of one lab.

    :param config: of the lab.
    :param cloud: as its administrator; Keystone and Nova must run.
    """

    config: ControlConfig
    cloud: Cloud
    progress: Progress

    @property
    def is_wanted(self) -> bool:
        """Tell whether this lab was given one since it was made."""
        return self._file.exists()

    @property
    def is_alive(self) -> bool:
        """Tell whether its API runs."""
        return self._runner.is_alive(NAME)

    def ensure(self, hosts: Iterable[str]) -> None:
        """Start its API, put it into the catalogue and the nodes into a segment; what is there stays.

        :param hosts: nodes whose nova-compute Nova knows: Masakari asks for each.
        :raises LabError: when it cannot be installed, or does not start.
        """
        settings = self.config.settings
        venv = Installer(settings=settings, progress=self.progress).ensure_masakari()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(render(self._config(venv)))
        self._ensure_account()
        _run((venv / "bin/masakari-manage", "--config-file", self._file, "db", "sync"))
        service = self._service(venv)
        self._runner.ensure_started(service)
        self._runner.wait_ready(service)
        self._ensure_endpoint()
        self._ensure_hosts(hosts)

    def fetch_hosts(self) -> dict[str, dict[str, Any]]:
        """Read the hosts of all segments, by their names."""
        segments = self.cloud.get(NAME, "/segments")["segments"]
        found = (
            host for segment in segments for host in self.cloud.get(NAME, _hosts_of(segment["uuid"]))["hosts"]
        )
        return {host["name"]: host for host in found}

    def set_maintenance(self, name: str, *, on: bool) -> None:
        """Set or clear ``on_maintenance`` of a host, as a person does.

        :raises LabError: when it is in no segment.
        """
        host = self.fetch_hosts().get(name)
        if host is None:
            raise LabError(f"{name} is in no segment of Masakari", "name a node of the lab")
        path = f"{_hosts_of(host['failover_segment_id'])}/{host['uuid']}"
        self.cloud.put(NAME, path, {"host": {"on_maintenance": on}})

    @property
    def _file(self) -> Path:
        return self.config.etc / NAME / "masakari.conf"

    @property
    def _runner(self) -> ServiceRunner:
        return ServiceRunner(run=self.config.settings.run)

    def _service(self, venv: Path) -> Service:
        return Service(
            name=NAME,
            command=(venv / "bin/masakari-api", "--config-file", self._file),
            port=self.config.settings.masakari_port,
            speaks_http=True,
        )

    def _ensure_account(self) -> None:
        user_id = ensure_user(self.cloud, NAME)
        (project,) = self.cloud.get("keystone", "/projects?name=service&domain_id=default")["projects"]
        roles = {role["name"]: role["id"] for role in self.cloud.get("keystone", "/roles")["roles"]}
        for role in ("admin", "service"):
            self.cloud.put("keystone", f"/projects/{project['id']}/users/{user_id}/roles/{roles[role]}")

    def _ensure_endpoint(self) -> None:
        if self.cloud.get("keystone", f"/services?type={SERVICE_TYPE}")["services"]:
            return
        body = {"service": {"name": NAME, "type": SERVICE_TYPE}}
        service = self.cloud.post("keystone", "/services", body)["service"]
        for interface in ("public", "internal", "admin"):
            endpoint = {
                "interface": interface,
                "region_id": REGION,
                "service_id": service["id"],
                "url": self.config.endpoint(NAME),
            }
            self.cloud.post("keystone", "/endpoints", {"endpoint": endpoint})

    def _ensure_hosts(self, hosts: Iterable[str]) -> None:
        segments = self.cloud.get(NAME, "/segments")["segments"]
        if not segments:
            body = {"name": SEGMENT, "recovery_method": "auto", "service_type": "compute"}
            segments = [self.cloud.post(NAME, "/segments", {"segment": body})["segment"]]
        known = self.fetch_hosts()
        for host in hosts:
            if host not in known:
                about = {"name": host, "type": "COMPUTE", "control_attributes": "SSH"}
                self.cloud.post(NAME, _hosts_of(segments[0]["uuid"]), {"host": about})

    def _config(self, venv: Path) -> Ini:
        state = self.config.state / NAME
        state.mkdir(parents=True, exist_ok=True)
        account = self.config.nova(state=state, log=self.config.log)["keystone_authtoken"]
        return {
            "DEFAULT": {
                "auth_strategy": "keystone",
                "state_path": state,
                "log_dir": self.config.log,
                "log_file": "masakari.log",
                "masakari_api_listen": "127.0.0.1",
                "masakari_api_listen_port": self.config.settings.masakari_port,
                "masakari_api_workers": 1,
                "transport_url": self.config.transport_url,
                "os_region_name": REGION,
                "os_privileged_user_name": NAME,
                "os_privileged_user_password": PASSWORD,
                "os_privileged_user_tenant": "service",
                "os_privileged_user_auth_url": self.config.auth_url,
                "os_user_domain_name": "Default",
                "os_project_domain_name": "Default",
            },
            "wsgi": {"api_paste_config": venv / "etc/masakari/api-paste.ini"},
            "database": {"connection": f"sqlite:///{state}/masakari.db"},
            "taskflow": {"connection": f"sqlite:///{state}/taskflow.db"},
            "oslo_concurrency": {"lock_path": state},
            "keystone_authtoken": {**account, "username": NAME},
        }


def _hosts_of(segment_id: str) -> str:
    return f"/segments/{segment_id}/hosts"


def _run(command: tuple[str | Path, ...]) -> None:
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip()[-2000:]
        raise LabError(f"{' '.join(map(str, command))} failed: {output}", "see the message above")
