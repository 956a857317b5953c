"""Eight nodes in two domains, three campaigns at once, two of them over the same nodes.

No HA group has ever two members on nodes that are out, and no domain more nodes out than it may.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from escalator.airflow_client.follow import wait_for_dag
from escalator.demo.demo_world import CLOUD
from escalator.lab.servers import ServerSpec
from escalator.model.naming import make_dag_id
from tests.campaigns.harness import NEW, Harness, OutSampler, host_of, state_of
from tests.conftest import CHOSEN_LAB

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.wide, pytest.mark.timeout(2400)]

DOMAINS = ("cell1/az1/general-1", "cell1/az2/general-2")
OVERLAP = ("node-03", "node-01")
"""Nodes of the first domain that two campaigns are to upgrade."""
GROUPS = {
    "sbc": {"node-01": "active", "node-02": "standby"},  # over both domains
    "mme": {"node-03": "member", "node-05": "member", "node-04": "member"},  # likewise
    "db": {"node-01": "active", "node-07": "standby"},
    "gw": {"node-06": "standby", "node-08": "active"},
}
"""HA group -> node of each member -> its role. Nodes of odd numbers are in the first domain."""


def servers() -> list[ServerSpec]:
    members = [
        ServerSpec(name=f"{group}-{host}", host=host, metadata={"ha_group": group, "ha_role": role})
        for group, roles in GROUPS.items()
        for host, role in roles.items()
    ]
    return [*members, *(ServerSpec(name=f"web-{n}", host=f"node-0{n}") for n in range(1, 9))]


@pytest.fixture(scope="module")
def wide(harness: Harness) -> tuple[Harness, ...]:
    """What drives each domain of a lab with eight nodes in two zones."""
    settings = harness.lab.settings
    if (settings.nodes, settings.zones) != (8, 2):
        pytest.skip(f"the lab of {CHOSEN_LAB} has {settings.nodes} nodes in {settings.zones} zone(s)")
    dag_ids = [make_dag_id("upgrade", CLOUD, domain) for domain in DOMAINS]
    for dag_id in dag_ids:
        wait_for_dag(harness.client, dag_id, timeout_seconds=300)
    return tuple(replace(harness, dag_id=dag_id) for dag_id in dag_ids)


@pytest.fixture(scope="module")
def both(wide: tuple[Harness, ...]) -> dict[str, Any]:
    before = wide[0].fresh(servers())
    sampler = OutSampler(wide[0].world.cloud())
    begun = time.monotonic()
    with sampler.watching():
        runs = [(domain, domain.trigger(max_parallel=2)) for domain in wide]
        runs.append((wide[0], wide[0].trigger(hosts=list(OVERLAP), max_parallel=2)))
        states = [domain.wait(run) for domain, run in runs]
    seconds = time.monotonic() - begun
    nodes = [node for domain, run in runs for node in domain.report(run)["nodes"]]
    return {
        "before": before,
        "runs": runs,
        "states": states,
        "sampler": sampler,
        "seconds": seconds,
        "nodes": nodes,
    }


def test_every_node_of_both_domains_is_upgraded(wide: tuple[Harness, ...], both: dict[str, Any]) -> None:
    reasons = [domain.states(run) for domain, run in both["runs"]]
    assert both["states"] == ["success"] * 3, reasons
    hosts = wide[0].lab.settings.hosts
    assert {host: wide[0].running(host) for host in hosts} == dict.fromkeys(hosts, NEW)


def test_no_node_was_upgraded_by_two_campaigns(wide: tuple[Harness, ...], both: dict[str, Any]) -> None:
    done = [node["host"] for node in both["nodes"] if node["state"] == "released"]
    assert sorted(done) == sorted(wide[0].lab.settings.hosts)
    skipped = [node["host"] for node in both["nodes"] if node["state"] == "skipped"]
    assert sorted(skipped) == sorted(OVERLAP)


def test_no_group_ever_had_two_members_on_nodes_that_were_out(both: dict[str, Any]) -> None:
    sampler: OutSampler = both["sampler"]
    assert sampler.samples / both["seconds"] >= 1
    broken = {
        (group, out)
        for group, roles in GROUPS.items()
        for out in sampler.together
        if len(out & set(roles)) > 1
    }
    assert broken == set()


def test_both_domains_were_at_work_at_once_and_neither_had_more_than_two_nodes_out(
    both: dict[str, Any],
) -> None:
    odd = frozenset(f"node-0{n}" for n in (1, 3, 5, 7))
    at_once = [(len(out & odd), len(out - odd)) for out in both["sampler"].together]
    assert max(first for first, _ in at_once) <= 2
    assert max(second for _, second in at_once) <= 2
    assert any(first and second for first, second in at_once)


def test_members_stay_on_their_nodes_and_the_others_are_as_they_were(
    wide: tuple[Harness, ...], both: dict[str, Any]
) -> None:
    after = wide[0].servers()
    assert {name: state_of(s) for name, s in after.items()} == {
        name: state_of(s) for name, s in both["before"].items()
    }
    members = {f"{group}-{host}": host for group, roles in GROUPS.items() for host in roles}
    assert {name: host_of(after[name]) for name in members} == members
    moved = {move["name"] for node in both["nodes"] for move in node["moves"]}
    assert moved == {f"web-{n}" for n in range(1, 9)}
