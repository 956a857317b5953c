from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from tests.builders import make_cloud, make_node, make_target
from tests.upgrade_manager.schedule.rounds import round_state
from tests.vim_interface.switching.fakes import make_member

from escalator.model.cloud import HaGroup, Server, ServiceState, ServiceStatus
from escalator.upgrade_manager.schedule.switchovers import plan_switchovers
from escalator.vim_interface.switching import Health, StandbyChoice, SwitchGroup, choose_standby


def choose(*others: Server, nodes: dict[str, dict[str, Any]] | None = None, **more: Any) -> StandbyChoice:
    group = SwitchGroup(id="g", members=(make_member("a", "n1"), *others))
    hosts = {server.host or "" for server in group.members}
    known = {host: make_node(host, **(nodes or {}).get(host, {})) for host in hosts}
    healthy = more.pop("is_healthy", lambda _: Health(ok=True))
    pending = more.pop("pending", {host for host, node in known.items() if node.target})
    return choose_standby(group, "a", known, is_healthy=healthy, pending=pending)


def test_member_on_an_upgraded_node_comes_first_then_one_that_need_not_move_again() -> None:
    b, c, d = make_member("b", "n2"), make_member("c", "n3"), make_member("d", "n4")
    nodes = {"n2": {"target": True}, "n4": {"upgraded": True}}
    assert choose(b, c, d, nodes=nodes).server == d
    assert choose(b, c, nodes=nodes).server == c
    assert choose(b, c, pending={"n3"}).server == b


FREE_OR_NOT = [{}, {"upgraded": True}, {"target": True}, {"status": ServiceStatus.DISABLED}]


@pytest.mark.parametrize("nodes", list(itertools.product(FREE_OR_NOT, repeat=3)))
def test_the_planner_chooses_the_same(nodes: tuple[dict[str, Any], ...]) -> None:
    """One rule for what is planned and what is done."""
    known = dict(zip(("n2", "n3", "n4"), nodes, strict=True))
    standbys = [make_member(name, host) for name, host in zip("dcb", known, strict=True)]
    active = make_member("a", "n1", ha_role="active")
    members = [replace(s, ha_group="g", ha_role=s.ha_role or "standby") for s in (active, *standbys)]
    group = HaGroup(id="g", mode="active-standby", members=tuple(s.id for s in members), max_impacted=9)
    hosts = [make_target("n1"), *(make_node(host, **fields) for host, fields in known.items())]
    state = round_state(make_cloud(hosts, members, ha_groups=(group,)))
    for host in ("n1", *(host for host, fields in known.items() if "status" in fields)):
        state.availability.take_out(host)
    planned = [found.standby for found in plan_switchovers(state, "n1", move_standbys=False)]
    chosen = choose(*standbys, nodes=known).server
    assert planned == ([chosen.id] if chosen is not None else [])


@pytest.mark.parametrize(
    ("server", "node", "words"),
    [
        ({"vm_state": "stopped", "power_state": "shutdown"}, {}, "does not run: it is stopped, shutdown"),
        ({"vm_state": "error"}, {}, "does not run"),
        ({"power_state": "crashed"}, {}, "does not run"),
        ({"task_state": "migrating"}, {}, "is busy: migrating"),
        ({}, {"status": ServiceStatus.DISABLED}, "is on n2, which is out of service"),
        ({}, {"state": ServiceState.DOWN}, "is on n2, which is out of service"),
        ({}, {"forced_down": True}, "is on n2, which is out of service"),
    ],
)
def test_member_that_is_unfit_is_named(server: dict[str, Any], node: dict[str, Any], words: str) -> None:
    found = choose(make_member("b", "n2", **server), nodes={"n2": node})
    assert found.server is None
    assert words in found.reasons[0]


def test_member_on_the_same_node_or_one_that_is_not_known_does_not_take_over() -> None:
    assert choose(make_member("b", "n1")).server is None
    group = SwitchGroup(id="g", members=(make_member("a", "n1"), make_member("b", "n2")))
    found = choose_standby(
        group, "a", {"n1": make_node("n1")}, is_healthy=lambda _: Health(ok=True), pending=()
    )
    assert found.reasons == ("vnf-b is on a node that is not known",)


def test_the_next_one_is_asked_when_the_first_is_not_healthy() -> None:
    asked: list[str] = []

    def judge(server: Server) -> Health:
        asked.append(server.id)
        return Health(ok=server.id == "c", words="no answer")

    b, c, d = make_member("b", "n2"), make_member("c", "n3"), make_member("d", "n4")
    found = choose(b, c, d, is_healthy=judge)
    assert (found.server, found.reasons) == (c, ("vnf-b is not healthy: no answer",))
    assert asked == ["b", "c"]


def test_group_of_one_says_so() -> None:
    assert choose().reasons == ("group g has no other member",)
