from __future__ import annotations

from typing import Any

import pytest
from tests.builders import make_node
from tests.vim_interface.switching.fakes import make_member

from escalator.model.cloud import Server, ServiceState, ServiceStatus
from escalator.vim_interface.switching import Health, StandbyChoice, SwitchGroup, choose_standby


def choose(*others: Server, nodes: dict[str, dict[str, Any]] | None = None, **more: Any) -> StandbyChoice:
    group = SwitchGroup(id="g", members=(make_member("a", "n1"), *others))
    hosts = {server.host or "" for server in group.members}
    known = {host: make_node(host, **(nodes or {}).get(host, {})) for host in hosts}
    healthy = more.pop("is_healthy", lambda _: Health(ok=True))
    return choose_standby(group, "a", known, is_healthy=healthy, **more)


def test_member_on_an_upgraded_node_comes_first_then_one_that_need_not_move_again() -> None:
    b, c, d = make_member("b", "n2"), make_member("c", "n3"), make_member("d", "n4")
    nodes = {"n2": {"target": True}, "n4": {"upgraded": True}}
    assert choose(b, c, d, nodes=nodes).server == d
    assert choose(b, c, nodes=nodes).server == c
    assert choose(b, c, pending={"n3"}).server == b


def test_member_that_the_plan_names_comes_before_all_if_it_can() -> None:
    b, c = make_member("b", "n2"), make_member("c", "n3")
    assert choose(b, c, planned="c").server == c
    assert choose(b, c, planned="c", out={"n3"}).server == b


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


def test_member_on_a_node_that_is_out_or_the_same_or_not_known_does_not_take_over() -> None:
    assert choose(make_member("b", "n2"), out={"n2"}).server is None
    assert choose(make_member("b", "n1")).server is None
    group = SwitchGroup(id="g", members=(make_member("a", "n1"), make_member("b", "n2")))
    found = choose_standby(group, "a", {"n1": make_node("n1")}, is_healthy=lambda _: Health(ok=True))
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
