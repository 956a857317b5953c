"""Strategies that draw fleets with what can be in the way: HA and server groups, traits, nodes not ours."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from tests.builders import DOMAINS, disabled, down, make_busy_node, make_cloud, make_server

from escalator.model.cloud import CloudSnapshot, HaGroup, Node, Server, ServerGroup
from escalator.model.feature import Feature

some = settings(max_examples=150, deadline=None, derandomize=True)


@st.composite
def fleets(draw: st.DrawFn) -> CloudSnapshot:
    """Draw a cloud of up to eight nodes in two domains."""
    nodes = [_node(draw, f"n{i}") for i in range(draw(st.integers(2, 8)))]
    hosts = [n.host for n in nodes]
    servers = [_server(draw, f"{host}-{i}", host) for host in hosts for i in range(draw(st.integers(0, 3)))]
    groups: list[HaGroup] = []
    for number in range(draw(st.integers(0, 4))):
        group, members = _group(draw, f"g{number}", hosts)
        groups.append(group)
        servers += members
    apart = _apart(draw, servers)
    return make_cloud(nodes, servers, ha_groups=tuple(groups), server_groups=apart)


def _node(draw: st.DrawFn, host: str) -> Node:
    fresh = make_busy_node(
        host,
        domain=draw(st.sampled_from([DOMAINS[0], DOMAINS[0], DOMAINS[1]])),
        memory=draw(st.sampled_from([8192, 16384, 16384, 32768])),
        target=draw(st.sampled_from([True, True, True, False])),
        upgraded=draw(st.sampled_from([False] * 5 + [True])),
        traits=draw(st.sampled_from([frozenset(), frozenset({"HW_SPECIAL"})])),
    )
    kind = draw(st.sampled_from(["up"] * 8 + ["down", "person"]))
    if kind == "down":
        return down(fresh)
    if kind == "person":
        return disabled(fresh)
    return fresh


def _server(draw: st.DrawFn, name: str, host: str) -> Server:
    return make_server(
        name,
        host,
        memory=draw(st.sampled_from([512, 1024, 2048, 4096])),
        vm_state=draw(st.sampled_from(["active"] * 6 + ["stopped", "paused"])),
        required_traits=draw(st.sampled_from([frozenset()] * 5 + [frozenset({"HW_SPECIAL"})])),
        migration=draw(st.sampled_from(["live"] * 6 + ["cold", "none"])),
        features=frozenset(draw(st.sampled_from([()] * 6 + [(Feature.PCI,), (Feature.ACCELERATOR,)]))),
    )


def _group(draw: st.DrawFn, name: str, hosts: list[str]) -> tuple[HaGroup, list[Server]]:
    mode = draw(st.sampled_from(["active-standby", "active-standby", "load-balanced"]))
    size = 2 if mode == "active-standby" else draw(st.integers(2, 4))
    servers = []
    for number in range(size):
        role = "member" if mode == "load-balanced" else ("active" if number == 0 else "standby")
        host = draw(st.sampled_from(hosts))
        servers.append(
            make_server(
                f"{name}-{number}",
                host,
                memory=draw(st.sampled_from([512, 2048])),
                ha_group=name,
                ha_role=role,
                power_state=draw(st.sampled_from(["running"] * 9 + ["shutdown"])),
            )
        )
    group = HaGroup(
        id=name,
        mode=mode,
        members=tuple(s.id for s in servers),
        max_impacted=draw(st.sampled_from([None, 1, 2])),
        min_preserved=draw(st.sampled_from([None, 0, 1])),
        recovery_seconds=draw(st.sampled_from([0.0, 60.0, 5000.0])),
        lead_seconds=draw(st.sampled_from([0.0, 0.0, 30.0])),
    )
    return group, servers


def _apart(draw: st.DrawFn, servers: list[Server]) -> tuple[ServerGroup, ...]:
    """Draw a server group whose members are where its policy wants them."""
    policy = draw(st.sampled_from(["anti-affinity", "soft-anti-affinity", "affinity", None]))
    free = [s for s in servers if s.ha_group is None]
    if policy is None or not free:
        return ()
    chosen: dict[str, str] = {}
    for one in draw(st.permutations(free)):
        fits = one.host == free[0].host if policy == "affinity" else one.host not in chosen
        if fits or policy.startswith("soft"):
            chosen.setdefault(one.host or "" if policy != "affinity" else one.id, one.id)
    return (ServerGroup(id="sg", policy=policy, members=tuple(chosen.values())),)
