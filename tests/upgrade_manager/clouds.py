"""Strategies that draw clouds to decide about, and how many are drawn."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from tests.builders import DOMAIN, disabled, down, leased, make_cloud, make_node, make_plan, make_server

from escalator.model.campaign import CampaignPlan
from escalator.model.cloud import CloudSnapshot, Node, Server
from escalator.model.lease import LeaseMark

few = settings(max_examples=30, deadline=None, derandomize=True)


@st.composite
def clouds(draw: st.DrawFn) -> CloudSnapshot:
    """Draw a cloud of two domains, with nodes in every state and servers of several sizes."""
    hosts = [f"node-{i}" for i in range(draw(st.integers(1, 7)))]
    others = make_plan(*hosts, campaign="other", run_id="other-run", max_parallel=2)
    own = make_plan(*hosts)
    nodes, servers = [], []
    for host in hosts:
        fresh = make_node(
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
    return make_cloud(nodes, servers)


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
    return make_server(
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
