"""A Nova-shaped cloud, for measuring what looking at it costs.

It answers what Escalator reads as Nova does (pages by limit and marker, changes-since, host, soft-deleted),
from a fleet, and counts every request. ``recorded_http.py`` serves it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from escalator.model.cloud import CloudSnapshot, Node, Server

Record = dict[str, Any]
Query = Mapping[str, str]
MAX_LIMIT = 1000
"""Nova's ``max_limit``: it gives no larger pages."""
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def _read_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class RecordedCloud:
    """The records of a cloud, which a test or a benchmark changes; ``calls`` counts requests by path.

    :ivar clock: what the cloud's own clock says.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    servers: dict[str, Record] = field(default_factory=dict)
    groups: list[Record] = field(default_factory=list)
    migrations: list[Record] = field(default_factory=list)
    disabled: dict[str, str] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    clock: Callable[[], datetime] = _read_clock
    max_limit: int = MAX_LIMIT

    @classmethod
    def of(cls, snapshot: CloudSnapshot, *, max_limit: int = MAX_LIMIT) -> RecordedCloud:
        """Record a snapshot."""
        groups = [
            {"id": group.id, "policy": group.policy, "members": list(group.members), "rules": {}}
            for group in snapshot.server_groups
        ]
        return cls(
            nodes={node.host: node for node in snapshot.nodes},
            servers={server.id: record_server(server) for server in snapshot.servers},
            groups=groups,
            max_limit=max_limit,
        )

    # what happens in the cloud

    def change(self, server_id: str, **changes: object) -> None:
        """Change a server's record, as any write does: its time of change is now."""
        self.servers[server_id] |= {**changes, "updated": self._now()}

    def boot(self, server: Server) -> None:
        """Add a server."""
        self.servers[server.id] = {**record_server(server), "updated": self._now(), "created": self._now()}

    def delete(self, server_id: str) -> None:
        """Delete a server: its record stays until it is archived."""
        self.change(server_id, status="DELETED", **{"OS-EXT-STS:vm_state": "deleted"})

    def archive(self) -> None:
        """Take deleted servers out of the tables, as ``nova-manage db archive_deleted_rows`` does."""
        self.servers = {key: r for key, r in self.servers.items() if r["status"] != "DELETED"}

    def begin_migration(self, server_id: str, destination: str, status: str = "queued") -> Record:
        """Begin to move a server; a new migration has no time of change."""
        number = len(self.migrations) + 1
        made: Record = {
            "id": number,
            "uuid": f"migration-{number}",
            "instance_uuid": server_id,
            "migration_type": "live-migration",
            "status": status,
            "source_compute": self.servers[server_id]["OS-EXT-SRV-ATTR:host"],
            "dest_compute": destination,
            "created_at": self._now(),
            "updated_at": None,
        }
        self.migrations.append(made)
        return made

    def turn_migration(self, number: int, status: str) -> None:
        """Let a migration go on."""
        self.migrations[number - 1] |= {"status": status, "updated_at": self._now()}

    def _now(self) -> str:
        return self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    # what it answers

    def answer(self, path: str, query: Query) -> tuple[int, Any]:
        """Answer a GET of a path, with Nova's status."""
        self.calls[path] += 1
        answers: dict[str, Callable[[], Record]] = {
            "os-services": lambda: {"services": self._list_services(query)},
            "os-aggregates": lambda: {"aggregates": self._aggregates()},
            "os-server-groups": lambda: {"server_groups": self._list_groups(query)},
            "os-hypervisors/detail": lambda: {"hypervisors": list(map(_hypervisor, self.nodes.values()))},
            "os-migrations": lambda: self._list_migrations(query),
            "servers/detail": lambda: self._list_servers(query),
            "allocation_candidates": lambda: {
                "allocation_requests": [],
                "provider_summaries": self._summaries(),
            },
            "inventories": lambda: {"inventories": self._inventories(path.split("/")[-2])},
        }
        for name, answer in answers.items():
            if path.endswith(f"/{name}"):
                return 200, answer()
        return 404, {"itemNotFound": {"code": 404, "message": path}}

    def _list_services(self, query: Query) -> list[Record]:
        wanted = query.get("host")
        return [self._service(node) for node in self.nodes.values() if wanted in {None, node.host}]

    def _list_groups(self, query: Query) -> list[Record]:
        begin, limit = int(query.get("offset", "0")), int(query.get("limit", self.max_limit))
        return self.groups[begin : begin + limit]

    def _list_servers(self, query: Query) -> Record:
        since = _read_time(query.get("changes-since"))
        found: Iterable[Record] = self.servers.values()
        if since is not None:
            found = (
                r for r in found if (changed := _read_time(r["updated"])) is not None and changed >= since
            )
        else:
            soft = "soft_deleted" in query
            found = (r for r in found if r["status"] != "DELETED" and (soft or r["status"] != "SOFT_DELETED"))
        for key, name in (("host", "OS-EXT-SRV-ATTR:host"), ("vm_state", "OS-EXT-STS:vm_state")):
            if key in query:
                found = [r for r in found if r[name] == query[key]]
        return self._page(list(found), "servers", "id", query)

    def _list_migrations(self, query: Query) -> Record:
        since, found = _read_time(query.get("changes-since")), reversed(self.migrations)
        listed = [r for r in found if self.servers.get(r["instance_uuid"], {}).get("status") != "DELETED"]
        if since is not None:
            listed = [r for r in listed if (at := _read_time(r["updated_at"])) is not None and at >= since]
        listed = [r for r in listed if query.get("status") in {None, r["status"]}]
        return self._page(listed, "migrations", "uuid", query)

    def _page(self, found: list[Record], key: str, marked_by: str, query: Query) -> Record:
        begin = 0
        if "marker" in query:
            markers = (number for number, r in enumerate(found, 1) if r[marked_by] == query["marker"])
            begin = next(markers, len(found))
        limit = min(int(query.get("limit", self.max_limit)), self.max_limit)
        page = found[begin : begin + limit]
        answer: Record = {key: page}
        if begin + limit < len(found):
            answer[f"{key}_links"] = [{"rel": "next", "href": f"http://x/?marker={page[-1][marked_by]}"}]
        return answer

    def _service(self, node: Node) -> Record:
        reason = self.disabled.get(node.host)
        return {
            "binary": "nova-compute",
            "host": node.host,
            "id": f"svc-{node.host}",
            "zone": node.zone,
            "status": "disabled" if reason else "enabled",
            "state": "up",
            "updated_at": self._now(),
            "disabled_reason": reason,
            "forced_down": False,
        }

    def _aggregates(self) -> list[Record]:
        hosts: dict[str, list[str]] = {}
        for node in self.nodes.values():
            for name in node.aggregates:
                hosts.setdefault(name, []).append(node.host)
        return [{"name": name, "hosts": members} for name, members in hosts.items()]

    def _summaries(self) -> Record:
        return {
            f"rp-{node.host}": {
                "resources": {
                    name: {"capacity": item.capacity, "used": node.usage.get(name, 0)}
                    for name, item in node.inventory.items()
                },
                "traits": sorted(node.traits),
                "parent_provider_uuid": None,
                "root_provider_uuid": f"rp-{node.host}",
            }
            for node in self.nodes.values()
        }

    def _inventories(self, provider_id: str) -> Record:
        host = provider_id.removeprefix("rp-")
        return {
            name: {
                "total": item.total,
                "reserved": item.reserved,
                "min_unit": 1,
                "max_unit": item.max_unit or item.total,
                "step_size": 1,
                "allocation_ratio": item.allocation_ratio,
            }
            for name, item in self.nodes[host].inventory.items()
        }


def record_server(server: Server) -> Record:
    """Write a server as Nova would: about 2 kB, of which most is not read."""
    flavor = {"vcpus": server.resources.get("VCPU", 0), "ram": server.resources.get("MEMORY_MB", 0)}
    addresses = {"addr": "10.0.0.1", "version": 4, "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01"}
    return {
        "id": server.id,
        "name": server.name,
        "tenant_id": server.project_id or "project",
        "status": server.status or "ACTIVE",
        "OS-EXT-SRV-ATTR:host": server.host,
        "OS-EXT-SRV-ATTR:user_data": None,
        "OS-EXT-STS:vm_state": server.vm_state,
        "OS-EXT-STS:task_state": server.task_state,
        "OS-EXT-STS:power_state": 1,
        "flavor": {
            **flavor,
            "original_name": "flavor",
            "disk": server.resources.get("DISK_GB", 0),
            "ephemeral": 0,
            "swap": 0,
            "extra_specs": {},
        },
        "image": {"id": "image", "links": [{"rel": "bookmark", "href": "http://x/images/image"}]},
        "metadata": dict(server.metadata),
        "addresses": {"net": [addresses, addresses]},
        "links": [{"rel": rel, "href": f"http://x/servers/{server.id}"} for rel in ("self", "bookmark")],
        "security_groups": [{"name": "default"}],
        "os-extended-volumes:volumes_attached": [],
        "locked": server.locked,
        "updated": "2026-01-01T00:00:00Z",
        "created": "2026-01-01T00:00:00Z",
    }


def _hypervisor(node: Node) -> Record:
    return {
        "id": f"rp-{node.host}",
        "hypervisor_hostname": node.host,
        "state": "up",
        "status": "enabled",
        "hypervisor_version": 8002000,
        "host_ip": "10.0.0.1",
        "cpu_info": {"arch": "x86_64", "features": [f"flag-{number}" for number in range(60)]},
        "service": {"id": "x", "host": node.host, "disabled_reason": None},
    }


def _read_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def age(migrations: int, cloud: RecordedCloud) -> None:
    """Give a cloud a past of finished migrations."""
    servers = itertools.cycle(list(cloud.servers))
    for number in range(migrations):
        made = cloud.begin_migration(next(servers), "elsewhere", "completed")
        made["created_at"] = made["updated_at"] = (_LONG_AGO + timedelta(minutes=number)).isoformat()
