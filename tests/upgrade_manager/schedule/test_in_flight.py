"""A member of a server group that is on its way counts at both ends, when a node is admitted or drained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.builders import NOW, leased, make_cloud, make_node, make_plan, make_server, remembering

from escalator.model.campaign import LedgerView, NodeProgress, NodeState
from escalator.model.cloud import CloudSnapshot, Migration, MigrationStatus, Node, Server, ServerGroup
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.verdict import Code
from escalator.upgrade_manager.drain.drains import plan_drain
from escalator.upgrade_manager.schedule.admission import decide_admissions

PLAN = make_plan("a", "b", max_parallel=2)


def flying(*others: str, to: str | None = "c") -> CloudSnapshot:
    """Two members apart, on a and on b; the first is on its way to a third node."""
    servers = [
        make_server("one", "a", task_state="migrating" if to else None),
        make_server("two", "b"),
    ]
    group = ServerGroup(id="g", policy="anti-affinity", members=("id-one", "id-two"))
    migration = Migration(
        id=1,
        uuid="u-1",
        server_id="id-one",
        type="live-migration",
        status=MigrationStatus.RUNNING,
        source_host="a",
        dest_host=to,
        created_at=NOW,
    )
    nodes = [leased(make_node("a", target=True), PLAN), *(make_node(host) for host in ("b", *others))]
    return make_cloud(
        nodes, servers, server_groups=(group,), migrations=(migration,) if to is not None else ()
    )


@pytest.mark.parametrize("to", ["c", "d"])
def test_the_partner_is_not_sent_where_a_member_is_going(to: str) -> None:
    (move,) = plan_drain(flying("c", "d", to=to), "b").moves
    assert move.destinations == ({"c": "d", "d": "c"}[to],)


@pytest.mark.parametrize(("others", "admission"), [(("c",), Admission.WAIT), (("c", "d"), Admission.ADMIT)])
def test_the_partners_node_goes_out_when_there_is_another_place(
    others: tuple[str, ...], admission: Admission
) -> None:
    cloud = flying(*others)
    moving = LedgerView(nodes=(NodeProgress(host="a", state=NodeState.MIGRATING),))
    decisions = decide_admissions(cloud, PLAN, remembering(cloud, PLAN, moving), NOW)
    assert decisions["b"].admission is admission


def test_a_node_waits_while_a_partner_is_on_its_way_though_nothing_is_out() -> None:
    """Somebody moves the partner: it takes both other nodes for a moment, and one of them afterwards."""
    cloud = flying("c")
    cloud = replace(cloud, nodes=tuple(make_node(node.host) for node in cloud.nodes))
    found = decide_admissions(cloud, make_plan("b"), LedgerView(), NOW)["b"]
    assert (found.admission, found.code) == (Admission.WAIT, Code.CAPACITY)
    landed = replace(cloud, migrations=())
    assert decide_admissions(landed, make_plan("b"), LedgerView(), NOW)["b"].admission is Admission.ADMIT


def decide_beside_arrival(host: str, *nodes: Node, servers: Sequence[Server] = ()) -> AdmissionDecision:
    """Decide while another node is out; its server is on its way to b, where Placement counts it already."""
    plan = make_plan("a", host, max_parallel=2)
    cloud = make_cloud(
        [leased(make_node("a", target=True), plan), *nodes],
        [make_server("one", "a", task_state="migrating", memory=8192), *servers],
        migrations=(replace(flying("c").migrations[0], dest_host="b"),),
    )
    moving = LedgerView(nodes=(NodeProgress(host="a", state=NodeState.MIGRATING),))
    return decide_admissions(cloud, plan, remembering(cloud, plan, moving), NOW, asking=(host,))[host]


def test_a_server_on_its_way_takes_its_place_once() -> None:
    b = make_node("b", memory=16384, usage={"MEMORY_MB": 8192})
    e = make_node("e", target=True)
    other = make_server("other", "e", memory=8192)
    assert decide_beside_arrival("e", b, e, servers=[other]).admission is Admission.ADMIT
    larger = replace(other, resources={**other.resources, "MEMORY_MB": 8193})
    assert decide_beside_arrival("e", b, e, servers=[larger]).admission is Admission.WAIT


@pytest.mark.parametrize(("memory", "admission"), [(4096, Admission.WAIT), (8192, Admission.ADMIT)])
def test_a_node_that_a_server_is_on_its_way_to_goes_when_there_is_another_place_for_it(
    memory: int, admission: Admission
) -> None:
    b = make_node("b", target=True, usage={"MEMORY_MB": 8192})
    assert decide_beside_arrival("b", b, make_node("c", memory=memory)).admission is admission
