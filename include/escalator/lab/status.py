"""What runs in a lab: services, nodes and servers, as a record, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from escalator.lab.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from escalator.lab.api import Cloud
    from escalator.lab.nodes import Node
    from escalator.lab.settings import LabSettings

SCHEMA = "escalator.lab-status/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """One node.

    :param release: of Nova on its disk, whatever form that has there; empty where there is none.
    :param state: ``up`` or ``down`` as Nova sees it; None when Nova does not know or does not answer.
    :param status: ``enabled`` or ``disabled``.
    """

    host: str
    address: str
    is_on: bool
    release: str
    state: str | None
    status: str | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """One server."""

    id: str
    name: str
    status: str
    host: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStatus:
    """A whole lab.

    :param services: whether each service of the control plane runs.
    """

    instance: int
    run: str
    services: Mapping[str, bool]
    nodes: tuple[NodeStatus, ...]
    servers: tuple[ServerStatus, ...]

    @property
    def is_up(self) -> bool:
        """Tell whether everything runs and Nova hears from every node."""
        return all(self.services.values()) and all(node.is_on and node.state == "up" for node in self.nodes)

    def as_json(self) -> dict[str, Any]:
        """Return a document for programs."""
        return {"schema": SCHEMA, "up": self.is_up, **asdict(self)}

    def as_text(self) -> str:
        """Return lines for a person."""
        lines = [f"lab {self.instance}: {'up' if self.is_up else 'not up'}   {self.run}"]
        lines += [
            f"  {name:<16} {'runs' if runs else 'does not run'}" for name, runs in self.services.items()
        ]
        lines += _table(
            ("node", "address", "power", "nova", "state", "status", "reason"),
            [
                (
                    node.host,
                    node.address,
                    "on" if node.is_on else "off",
                    node.release,
                    node.state or "-",
                    node.status or "-",
                    node.disabled_reason or "-",
                )
                for node in self.nodes
            ],
        )
        servers = [(server.name, server.status, server.host or "-", server.id) for server in self.servers]
        lines += _table(("server", "status", "host", "id"), servers)
        return "\n".join(lines)


def fetch_status(
    *, settings: LabSettings, cloud: Cloud, services: Mapping[str, bool], nodes: Sequence[Node]
) -> LabStatus:
    """Read the state of a lab; what does not run or answer is left out (another lab may have its ports)."""
    computes, servers = _ask_nova(cloud) if services["nova"] and services["keystone"] else ({}, [])
    return LabStatus(
        instance=settings.instance,
        run=str(settings.run),
        services=services,
        nodes=tuple(_node(node, computes.get(node.host, {})) for node in nodes if node.directory.exists()),
        servers=tuple(
            ServerStatus(
                id=server["id"],
                name=server["name"],
                status=server["status"],
                host=server["OS-EXT-SRV-ATTR:host"],
            )
            for server in sorted(servers, key=lambda server: str(server["name"]))
        ),
    )


def _ask_nova(cloud: Cloud) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        found = cloud.get("nova", "/os-services?binary=nova-compute")["services"]
        servers = cloud.get("nova", "/servers/detail?all_tenants=1")["servers"]
    except ApiError:
        return {}, []
    return {service["host"]: service for service in found}, list(servers)


def _node(node: Node, service: Mapping[str, Any]) -> NodeStatus:
    return NodeStatus(
        host=node.host,
        address=node.address,
        is_on=node.is_on,
        release=node.release,
        state=service.get("state"),
        status=service.get("status"),
        disabled_reason=service.get("disabled_reason"),
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
