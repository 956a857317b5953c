"""Made-up nodes, servers, clouds and plans: the one set that the tests decide about.

What a test depends on it says itself, by keyword; the defaults are an ordinary node with room, an ordinary
server that moves live, and a campaign of one node at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from escalator.model.bundle import Bundle, Component, NoMechanism
from escalator.model.campaign import CampaignPlan, CampaignRequest, LedgerView
from escalator.model.cloud import (
    CloudSnapshot,
    HaGroup,
    Node,
    ResourceInventory,
    Server,
    ServiceState,
    ServiceStatus,
)
from escalator.model.lease import LeaseMark
from escalator.model.switch import SwitchMethod, SwitchRecord
from escalator.upgrade_manager.drain.placing import DrainSimulation, simulate
from escalator.upgrade_manager.state.capacity import CapacityBook

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DOMAIN = "cell1/az1/general"
DOMAINS = (DOMAIN, "cell1/az2/general")
BUNDLE = Bundle(
    name="nova-34",
    components=(Component(name="nova-compute", to="34.0.0"),),
    mechanism=NoMechanism(),
)


def make_node(
    host: str,
    *,
    domain: str = DOMAIN,
    memory: int = 16384,
    reserved: int = 0,
    vcpus: int = 16,
    vcpu_ratio: float = 1.0,
    **fields: Any,
) -> Node:
    """Make a node in service, in the zone that its domain names.

    :param memory: MiB in all, of which ``reserved`` are for no server
    :param vcpu_ratio: how many times each of the ``vcpus`` is given out
    """
    inventory = {
        "VCPU": ResourceInventory(total=vcpus, allocation_ratio=vcpu_ratio),
        "MEMORY_MB": ResourceInventory(total=memory, reserved=reserved),
        "DISK_GB": ResourceInventory(total=1000),
    }
    known = {
        "host": host,
        "domain": domain,
        "zone": domain.split("/")[1] if "/" in domain else "az1",
        "aggregates": ("general",),
        "inventory": inventory,
        "traits": frozenset({"COMPUTE_NODE"}),
    }
    return Node(**known | fields)


def make_busy_node(host: str, **fields: Any) -> Node:
    """Make a node as clouds in use are set: twice its vCPUs are given out, 512 MiB are the host's own."""
    return make_node(host, **{"vcpu_ratio": 2.0, "reserved": 512} | fields)


def make_target(host: str, **fields: Any) -> Node:
    """Make a node of a cloud in use that is to be upgraded."""
    return make_busy_node(host, target=True, **fields)


def make_server(name: str, host: str | None, *, memory: int = 2048, vcpus: int = 1, **fields: Any) -> Server:
    """Make an active server on a node; its id is its name after ``id-``. Memory is in MiB."""
    resources = {"VCPU": vcpus, "MEMORY_MB": memory, "DISK_GB": 10}
    known = {"id": f"id-{name}", "name": name, "host": host, "vm_state": "active", "resources": resources}
    return Server(**known | fields)


def make_pair(
    name: str, active: str, standby: str, *, memory: int = 1024, **fields: Any
) -> tuple[HaGroup, tuple[Server, Server]]:
    """Make a group of one active and one standby, on these hosts."""
    one = make_server(f"{name}-a", active, memory=memory, ha_group=name, ha_role="active")
    two = make_server(f"{name}-s", standby, memory=memory, ha_group=name, ha_role="standby")
    known = {"id": name, "mode": "active-standby", "members": (one.id, two.id)}
    return HaGroup(**known | fields), (one, two)


def make_cloud(nodes: Iterable[Node] = (), servers: Iterable[Server] = (), **fields: Any) -> CloudSnapshot:
    """Make a snapshot of a cloud."""
    known = {"cloud": "lab", "taken_at": NOW, "nodes": tuple(nodes), "servers": tuple(servers)}
    return CloudSnapshot(**known | fields)


def make_plan(
    *hosts: str,
    campaign: str = "upgrade__lab",
    run_id: str = "run-1",
    target_version: str = "34.0.0",
    **asked: Any,
) -> CampaignPlan:
    """Make the plan of a campaign over these nodes; what else is given was asked for."""
    request = CampaignRequest(**{"cloud": "lab", "domain": DOMAIN, "bundle": "nova-34"} | asked)
    return CampaignPlan(
        campaign=campaign,
        run_id=run_id,
        request=request,
        hosts=hosts,
        target_version=target_version,
        window_end=request.window_end,
    )


def disabled(of: Node, reason: str | None = "broken fan") -> Node:
    """Return the node as somebody has disabled it."""
    return replace(of, status=ServiceStatus.DISABLED, disabled_reason=reason)


def down(of: Node) -> Node:
    """Return the node with its service down."""
    return replace(of, state=ServiceState.DOWN)


def leased(of: Node, plan: CampaignPlan, mark: LeaseMark | None = None) -> Node:
    """Return the node as a campaign has taken it out."""
    return disabled(of, plan.lease(of.host).marked(mark).render())


def remembering(snapshot: CloudSnapshot, plan: CampaignPlan, ledger: LedgerView | None = None) -> LedgerView:
    """Return a ledger that knows every lease which a campaign has in the cloud."""
    own = {
        n.host: (n.disabled_reason,)
        for n in snapshot.nodes
        if n.disabled_reason is not None and plan.lease(n.host).same_holder(n.lease)
    }
    return replace(ledger or LedgerView(), leases=own)


def simulate_drain(
    snapshot: CloudSnapshot, hosts: Collection[str], *, out: Collection[str] = (), members_stay: bool = True
) -> DrainSimulation:
    """Place every server that must leave some nodes, on the cloud as it is.

    :param hosts: nodes to empty, all at once.
    :param out: further hosts that take no servers.
    """
    return simulate(CapacityBook(snapshot, members_stay=members_stay), hosts, out=out)


def make_switch(**fields: Any) -> SwitchRecord:
    """Make a switchover that was begun, of the member ``a`` of a load balancer; nobody takes it over."""
    given = {
        "campaign": "c",
        "run_id": "r",
        "host": "node-01",
        "group": "web",
        "method": SwitchMethod.OCTAVIA,
        "from_server": "a",
        "to_server": None,
        "begun_at": NOW,
    }
    return SwitchRecord(**{**given, **fields})
