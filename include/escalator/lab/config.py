"""Configuration files of the control plane and of the nodes, rendered from the settings."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from escalator.lab.settings import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from escalator.lab.settings import LabSettings

PASSWORD = "escalator-lab"  # noqa: S105  (of a cloud that lives on loopback)
REGION = "RegionOne"
DATABASES = ("keystone", "placement", "nova_api", "nova_cell0", "nova_cell1", "glance", "neutron")
_POOL = {"max_pool_size": 5, "max_overflow": 20}
_NEUTRON_QUOTAS = ("network", "subnet", "port", "security_group", "router", "floatingip")

Section = dict[str, object]
Ini = dict[str, Section]


def render(content: Mapping[str, Mapping[str, object]]) -> str:
    """Return the text of an ini file; booleans in the form that oslo.config writes."""
    lines: list[str] = []
    for section, options in content.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {_text(value)}" for key, value in options.items()]
        lines.append("")
    return "\n".join(lines)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlConfig:
    """Everything that the services of one lab instance read.

    :param settings: of the lab.
    :param seen_at: address of the control plane, as the reader sees it.
    """

    settings: LabSettings
    seen_at: str = LOOPBACK

    @property
    def etc(self) -> Path:
        """Return the folder of the configuration files."""
        return self.settings.run / "etc"

    @property
    def state(self) -> Path:
        """Return the folder of the services' own files."""
        return self.settings.run / "state"

    @property
    def log(self) -> Path:
        """Return the folder of the logs."""
        return self.settings.run / "log"

    @property
    def auth_url(self) -> str:
        """Return the address of Keystone."""
        return f"http://{self.seen_at}:{self.settings.ports.keystone}/v3"

    @property
    def transport_url(self) -> str:
        """Return the address of RabbitMQ."""
        return f"rabbit://guest:guest@{self.seen_at}:{self.settings.ports.rabbitmq}/"

    def endpoint(self, service: str) -> str:
        """Return the address of a service; on loopback it is that of the catalogue."""
        path = "/v2.1" if service == "nova" else ""
        if service == "octavia":
            return f"http://{self.seen_at}:{self.settings.octavia_port}"
        if service == "masakari":
            return f"http://{self.seen_at}:{self.settings.masakari_port}/v1"
        return f"http://{self.seen_at}:{self.settings.ports.as_dict()[service]}{path}"

    def database(self, name: str) -> str:
        """Return the address of a database."""
        return f"postgresql+psycopg2://lab@127.0.0.1:{self.settings.ports.postgresql}/{name}"

    def write(self) -> None:
        """Write the files of the control plane."""
        for folder in (self.etc, self.state, self.log, self.state / "glance", self.state / "nova"):
            folder.mkdir(parents=True, exist_ok=True)
        self._write("keystone/keystone.conf", self._keystone())
        self._write("placement/placement.conf", self._placement())
        self._write("glance/glance-api.conf", self._glance())
        self._write("neutron/neutron.conf", self._neutron())
        self._write("neutron/ml2_conf.ini", _ML2)
        self._write("nova/nova.conf", self._nova_control("nova_cell0"))
        self._write("nova-cell1/nova.conf", self._nova_control("nova_cell1"))
        defaults = self.settings.control_venv / "etc"
        shutil.copy(defaults / "glance/glance-api-paste.ini", self.etc / "glance")
        shutil.copy(defaults / "neutron/api-paste.ini", self.etc / "neutron")
        shutil.copy(defaults / "nova/api-paste.ini", self.etc / "nova")

    def nova(self, *, state: Path | str, log: Path | str) -> Ini:
        """Return what every Nova service is told.

        :param state: folder of the service's files, as the service sees it.
        :param log: folder of its log, as the service sees it.
        """
        return {
            "DEFAULT": {
                "transport_url": self.transport_url,
                "state_path": state,
                "log_dir": log,
                "rpc_response_timeout": 20,
                "report_interval": 5,
                "service_down_time": 20,
                "graceful_shutdown_timeout": 5,
                "allow_resize_to_same_host": False,
                "resize_confirm_window": 0,
            },
            "keystone_authtoken": self._authtoken("nova"),
            "service_user": {"send_service_user_token": True, **self._client("nova")},
            "placement": self._client("placement"),
            "glance": {"region_name": REGION},
            "neutron": self._client("neutron"),
            "vnc": {"enabled": False},
            "oslo_concurrency": {"lock_path": f"{state}/locks"},
            "oslo_messaging_rabbit": {"rabbit_quorum_queue": False, "heartbeat_in_pthread": False},
            "oslo_messaging_notifications": {"driver": "noop"},
            "upgrade_levels": {"compute": "auto"},
            "cache": {"enabled": True, "backend": "oslo_cache.dict"},
        }

    def compute(self, *, host: str, address: str) -> Ini:
        """Return what nova-compute of a node is told, but for its driver.

        :param host: name of the node, as Nova has it.
        :param address: of the node.
        """
        content = self.nova(state="/var/lib/nova", log="/var/log/nova")
        content["DEFAULT"] |= {
            "host": host,
            "my_ip": address,
            "log_file": "nova-compute.log",
            "graceful_shutdown_timeout": 2,
            "manager_shutdown_timeout": 1,
            "reserved_host_memory_mb": 0,
            "sync_power_state_interval": 60,
            "update_resources_interval": 30,
            "heal_instance_info_cache_interval": -1,  # nobody but Nova changes the ports here
            "max_concurrent_live_migrations": 4,
        }
        return content

    def _write(self, name: str, content: Mapping[str, Mapping[str, object]]) -> None:
        path = self.etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(content))

    def _client(self, user: str) -> Section:
        return {
            "auth_url": self.auth_url,
            "auth_type": "password",
            "username": user,
            "password": PASSWORD,
            "project_name": "service",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "region_name": REGION,
        }

    def _authtoken(self, user: str) -> Section:
        return {
            "www_authenticate_uri": self.auth_url,
            "memcache_security_strategy": "None",
            "service_token_roles_required": True,
            "service_token_roles": "service",
            **self._client(user),
        }

    def _keystone(self) -> Ini:
        return {
            "DEFAULT": {"log_dir": self.log, "log_file": "keystone.log", "use_stderr": False},
            "database": {"connection": self.database("keystone"), **_POOL},
            "token": {"provider": "fernet", "expiration": 86400},
            "fernet_tokens": {"key_repository": self.state / "fernet"},
            "fernet_receipts": {"key_repository": self.state / "fernet"},
            "credential": {"key_repository": self.state / "credential"},
            "cache": {"enabled": True, "backend": "oslo_cache.dict"},
        }

    def _placement(self) -> Ini:
        return {
            "DEFAULT": {"log_dir": self.log, "log_file": "placement.log", "use_stderr": False},
            "placement_database": {"connection": self.database("placement"), **_POOL},
            "api": {"auth_strategy": "keystone"},
            "keystone_authtoken": self._authtoken("placement"),
        }

    def _glance(self) -> Ini:
        return {
            "DEFAULT": {
                "log_dir": self.log,
                "log_file": "glance.log",
                "use_stderr": False,
                "enabled_backends": "file:file",
                "worker_self_reference_url": self.endpoint("glance"),
            },
            "database": {"connection": self.database("glance"), **_POOL},
            "glance_store": {"default_backend": "file"},
            "file": {"filesystem_store_datadir": self.state / "glance"},
            "oslo_concurrency": {"lock_path": self.state / "locks"},
            "keystone_authtoken": self._authtoken("glance"),
            "paste_deploy": {"flavor": "keystone"},
        }

    def _neutron(self) -> Ini:
        return {
            "DEFAULT": {
                "log_dir": self.log,
                "log_file": "neutron.log",
                "use_stderr": False,
                "core_plugin": "ml2",
                "service_plugins": "router",
                "transport_url": self.transport_url,
                "auth_strategy": "keystone",
                "state_path": self.state / "neutron",
                "notify_nova_on_port_status_changes": True,
                "notify_nova_on_port_data_changes": True,
                "api_workers": 1,
                "rpc_workers": 0,
            },
            "database": {"connection": self.database("neutron"), **_POOL},
            "keystone_authtoken": self._authtoken("neutron"),
            "nova": self._client("nova"),
            "placement": self._client("placement"),
            "quotas": {f"quota_{name}": -1 for name in _NEUTRON_QUOTAS},
            "oslo_concurrency": {"lock_path": self.state / "locks"},
        }

    def _nova_control(self, cell: str) -> Ini:
        content = self.nova(state=self.state / "nova", log=self.log)
        content["DEFAULT"] |= {
            "host": "controller",
            "my_ip": "127.0.0.1",
            "osapi_compute_listen": "127.0.0.1",
            "enabled_apis": "osapi_compute",
        }
        content |= {
            "api_database": {"connection": self.database("nova_api"), **_POOL},
            "database": {"connection": self.database(cell), **_POOL},
            "api": {"response_validation": "ignore"},
            "conductor": {"workers": 1},
            "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 5},
            "quota": {
                "instances": -1,
                "cores": -1,
                "ram": -1,
                "server_groups": -1,
                "server_group_members": -1,
            },
            "wsgi": {"api_paste_config": self.etc / "nova" / "api-paste.ini"},
        }
        return content


_ML2: Ini = {
    "ml2": {
        "type_drivers": "vxlan,flat",
        "tenant_network_types": "vxlan",
        "mechanism_drivers": "escalator_lab",
        "extension_drivers": "port_security",
    },
    "ml2_type_vxlan": {"vni_ranges": "1:1000"},
    "ml2_type_flat": {"flat_networks": "*"},
}
