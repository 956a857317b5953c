from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from escalator.model.cloud import CloudSnapshot, Node, Server


def server(server_id: str, **changes: Any) -> Server:
    plain: dict[str, Any] = {"name": server_id, "host": "node-01", "vm_state": "active", "project_id": "p"}
    return Server(id=server_id, **plain | changes)


def cloud(*servers: Server) -> CloudSnapshot:
    """A cloud of one node with these servers."""
    return CloudSnapshot(
        cloud="c",
        taken_at=datetime(2026, 11, 22, tzinfo=UTC),
        nodes=(Node(host="node-01", domain="d"),),
        servers=servers,
    )
