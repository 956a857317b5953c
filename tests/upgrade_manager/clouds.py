"""Small clouds to decide about, and strategies that draw them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from escalator.model.bundle import Bundle, Component, NoMechanism
from escalator.model.campaign import CampaignPlan, CampaignRequest
from escalator.model.cloud import (
    CloudSnapshot,
    Node,
    ResourceInventory,
    Server,
    ServiceState,
    ServiceStatus,
)
from escalator.model.lease import LeaseMark

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DOMAIN = "cell1/az1/general"
few = settings(max_examples=30, deadline=None, derandomize=True)
BUNDLE = Bundle(
    name="nova-34",
    components=(Component(name="nova-compute", to="34.0.0"),),
    mechanism=NoMechanism(),
)


def node(host: str, *, memory: int = 16384, vcpus: int = 16, **fields: Any) -> Node:
    inventory = {
        "VCPU": ResourceInventory(total=vcpus),
        "MEMORY_MB": ResourceInventory(total=memory),
        "DISK_GB": ResourceInventory(total=1000),
    }
    return Node(
        **{
            "host": host,
            "domain": DOMAIN,
            "zone": "az1",
            "aggregates": ("general",),
            "inventory": inventory,
            "traits": frozenset({"COMPUTE_NODE"}),
            **fields,
        }
    )


def server(name: str, host: str | None, *, memory: int = 2048, vcpus: int = 1, **fields: Any) -> Server:
    resources = {"VCPU": vcpus, "MEMORY_MB": memory, "DISK_GB": 10}
    base = {"id": f"id-{name}", "name": name, "host": host, "vm_state": "active", "resources": resources}
    return Server(**{**base, **fields})


def cloud(nodes: Iterable[Node], servers: Iterable[Server] = (), **fields: Any) -> CloudSnapshot:
    return CloudSnapshot(cloud="lab", taken_at=NOW, nodes=tuple(nodes), servers=tuple(servers), **fields)


def make_plan(
    *hosts: str, campaign: str = "upgrade__lab", run_id: str = "run-1", **asked: Any
) -> CampaignPlan:
    request = CampaignRequest(**{"cloud": "lab", "domain": DOMAIN, "bundle": "nova-34", **asked})
    return CampaignPlan(
        campaign=campaign, run_id=run_id, request=request, hosts=hosts, target_version="34.0.0"
    )


def disabled(of: Node, reason: str | None = "broken fan") -> Node:
    return replace(of, status=ServiceStatus.DISABLED, disabled_reason=reason)


def down(of: Node) -> Node:
    return replace(of, state=ServiceState.DOWN)


def leased(of: Node, plan: CampaignPlan, mark: LeaseMark | None = None) -> Node:
    return disabled(of, plan.lease(of.host).marked(mark).render())


@st.composite
def clouds(draw: st.DrawFn) -> CloudSnapshot:
    """Draw a cloud of two domains, with nodes in every state and servers of several sizes."""
    hosts = [f"node-{i}" for i in range(draw(st.integers(1, 7)))]
    others = make_plan(*hosts, campaign="other", run_id="other-run", max_parallel=2)
    own = make_plan(*hosts)
    nodes, servers = [], []
    for host in hosts:
        fresh = node(
            host,
            memory=draw(st.sampled_from([4096, 8192, 16384])),
            domain=draw(st.sampled_from([DOMAIN, DOMAIN, "cell1/az1/fast"])),
            aggregates=draw(st.sampled_from([("general",), ("general",), ("fast",)])),
            upgraded=draw(st.booleans()),
            usage={"MEMORY_MB": draw(st.sampled_from([0, 0, 3000]))},
        )
        kind = draw(
            st.sampled_from(["up"] * 6 + ["down", "person", "own", "own-failed", "other", "other-held"])
        )
        nodes.append(_in_state(fresh, kind, own, others))
        servers += [_drawn_server(draw, f"{host}-s{i}", host) for i in range(draw(st.integers(0, 4)))]
    return cloud(nodes, servers)


def _in_state(fresh: Node, kind: str, own: CampaignPlan, others: CampaignPlan) -> Node:
    return {
        "up": fresh,
        "down": down(fresh),
        "person": disabled(fresh),
        "own": leased(fresh, own),
        "own-failed": leased(fresh, own, LeaseMark.FAILED),
        "other": leased(fresh, others),
        "other-held": leased(fresh, others, LeaseMark.HELD),
    }[kind]


def _drawn_server(draw: st.DrawFn, name: str, host: str) -> Server:
    return server(
        name,
        host,
        memory=draw(st.sampled_from([512, 1024, 2048, 4096])),
        vcpus=draw(st.integers(1, 4)),
        vm_state=draw(
            st.sampled_from(["active", "active", "stopped", "paused", "error", "shelved_offloaded"])
        ),
        required_traits=draw(st.sampled_from([frozenset(), frozenset(), frozenset({"HW_SPECIAL"})])),
        pinned_zone=draw(st.sampled_from([None, None, "az1", "az2"])),
        migration=draw(st.sampled_from(["live", "live", "cold", "none"])),
    )
