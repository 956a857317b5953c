from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import DOMAINS, make_cloud, make_server, make_target
from tests.upgrade_manager.schedule.rounds import full, round_state

from escalator.model.cloud import CloudSnapshot, ServerGroup
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.verdict import Code
from escalator.upgrade_manager.drain.placing import simulate
from escalator.upgrade_manager.schedule.waits import (
    PATIENCE,
    end_wait,
    explain_arrivals,
    explain_lack_of_room,
    explain_obstacle,
    explain_second_moves,
)
from escalator.upgrade_manager.state.availability import Obstacle

CROWDED = make_cloud(
    [make_target("a"), make_target("b")],
    [make_server("s", "a", memory=8192), make_server("t", "b", memory=12288)],
)
TIGHT = make_cloud([make_target("a"), make_target("b", memory=2048)], [make_server("big", "a", memory=8192)])


def test_a_lasting_obstacle_holds_a_node_and_a_passing_one_lets_it_wait() -> None:
    lasting = explain_obstacle("a", Obstacle(message="two members here", lasting=True))
    assert (lasting.admission, lasting.code) == (Admission.HOLD, Code.HA_GROUP)
    assert lasting.message == "waiting will not help: two members here"
    passing = explain_obstacle("a", Obstacle(message="in notice", lasting=False, code=Code.HA_NOTICE))
    assert (passing.admission, passing.code) == (Admission.WAIT, Code.HA_NOTICE)
    assert passing.message == "in notice"


def test_lack_of_room_names_what_would_have_to_come_back() -> None:
    def explain(cloud: CloudSnapshot = TIGHT, **fields: object) -> tuple[Admission, str]:
        state = round_state(cloud, **fields)
        found = explain_lack_of_room(state, "a", simulate(state.book, {"a"}))
        return found.admission, found.message.partition(":")[0]

    assert explain() == (Admission.HOLD, "waiting will not help")  # larger than the other node is
    words = "it waits for room, and nothing is out that would bring some"
    assert explain(CROWDED) == (Admission.WAIT, words)
    assert explain(out={DOMAINS[0]: {"c", "d"}}) == (Admission.WAIT, "not while c, d is out")
    absent = {DOMAINS[0]: ["a", "e"]}
    assert explain(absent=absent) == (Admission.WAIT, "not without e, down or disabled now")


@pytest.mark.parametrize("policy", ["affinity", "anti-affinity"])
def test_where_a_group_keeps_a_server_from_every_node_waiting_will_not_help(policy: str) -> None:
    where = "aa" if policy == "affinity" else "ab"
    servers = [make_server(f"s{n}", host, server_group="g") for n, host in enumerate(where)]
    group = ServerGroup(id="g", policy=policy, members=tuple(s.id for s in servers))
    cloud = make_cloud([make_target("a"), make_target("b")], servers, server_groups=(group,))
    state = round_state(cloud)
    found = explain_lack_of_room(state, "a", simulate(state.book, {"a"}))
    assert found.admission is Admission.HOLD


def test_a_wait_for_room_in_vain_ends_after_a_time_and_says_so() -> None:
    waits = AdmissionDecision(host="a", admission=Admission.WAIT, code=Code.CAPACITY, message="no room")
    assert end_wait(waits, PATIENCE - timedelta(seconds=1)) == waits
    over = end_wait(waits, PATIENCE)
    assert (over.admission, over.code) == (Admission.HOLD, Code.CAPACITY)
    assert over.message == "no room came in 60 min: no room -> free room, then clear the node's admit"


def test_many_hosts_are_counted_after_the_first_five() -> None:
    state = round_state(full("a", "b"), out={DOMAINS[0]: {f"n{i}" for i in range(8)}})
    message = explain_second_moves(state, "a", 3).message
    assert message == (
        "3 of its servers would have to move twice: it waits for room "
        "until n0, n1, n2, n3, n4 and 3 more is back"
    )


def test_arrivals_make_a_node_wait_only_while_they_move() -> None:
    for moving in (True, False):
        state = round_state(full("a", "b"), moving=moving)
        assert explain_arrivals(state, "b") is None
        state.claim(state.book.servers("a")[0], "b")
        found = explain_arrivals(state, "b")
        assert (found is not None) is moving
        if found is not None:
            assert (found.admission, found.code) == (Admission.WAIT, Code.NODE_NOT_EMPTY)
