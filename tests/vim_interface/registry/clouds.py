"""A cloud of one node, whose servers are named by their ids."""

from __future__ import annotations

from typing import Any

from tests.builders import make_cloud, make_node, make_server

from escalator.model.cloud import CloudSnapshot, Server


def make_guest(server_id: str, **changes: Any) -> Server:
    fields = {"id": server_id, "name": server_id, "project_id": "p"} | changes
    return make_server(host="node-01", **fields)


def make_home(*guests: Server) -> CloudSnapshot:
    """Make a cloud of one node with these servers."""
    return make_cloud([make_node("node-01")], guests)
