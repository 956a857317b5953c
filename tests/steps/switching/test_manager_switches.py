"""What managers did is noted, shown in the trace, and judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from tests.steps.managers import ScriptedManagers, acting, keep_silent, refuse, register
from tests.steps.worlds import NODE, World
from tests.vim_interface.switching.fakes import FLOATING, FakeNetwork, make_port

from escalator.ledger.records import Document
from escalator.model.campaign import NodeState, Step
from escalator.model.cloud import CloudSnapshot
from escalator.model.moves import Agreement
from escalator.model.network import FloatingIp
from escalator.model.notice import InstanceAction
from escalator.model.switch import SwitchRecord
from escalator.model.vnfm import VnfmKind
from escalator.replay import ReplayReport, ViolationCode, check_trace
from escalator.steps.campaign.conclude import conclude
from escalator.system_support.mechanisms import Effect

AFTER = (Step.MIGRATE, Step.UPGRADE, Step.VERIFY, Step.RELEASE)


@pytest.fixture
def pair(world: World) -> World:
    """``a`` on the node is active and has the floating IP, ``b`` stands by elsewhere."""
    world.pairs, world.mode = (("a", "b"),), "active-standby"
    world.boot("a")
    world.boot("b", "node-02")
    network = FakeNetwork().add(make_port("a", NODE, "10.0.0.1"), make_port("b", "node-02", "10.0.0.2"))
    cast("Any", world.cloud).network = network
    let_things_take_time(world)
    return world


def let_things_take_time(world: World) -> None:
    """Let calls and upgrades take time: in a trace nothing begins and ends at once."""
    world.cloud.before = lambda _: world.clock.sleep(0.01)
    for node in world.nodes.values():
        activate = node.activate

        def slowly(version: str, activate: Callable[[str], Effect] = activate) -> Effect:
            world.clock.sleep(1.0)
            return activate(version)

        node.activate = slowly  # type: ignore[method-assign]


def give_address(world: World, server: str) -> None:
    number = " ab".index(server)
    network(world).floating[FLOATING] = FloatingIp(
        id="f", address=FLOATING, port_id=f"p-{server}", fixed_address=f"10.0.0.{number}"
    )


def network(world: World) -> FakeNetwork:
    return cast("FakeNetwork", cast("Any", world.cloud).network)


def ask(world: World, managers: ScriptedManagers, host: str = NODE, *, moves_to: str | None = None) -> str:
    """Let the managers of a node be asked; meanwhile they move the address."""
    world.admit(host)
    world.run(Step.PRECHECK, host)
    world.turn(Step.SWITCHOVER, host)
    if moves_to is not None:
        give_address(world, moves_to)
    return managers.hear(host=host).result.message


def noted(world: World) -> list[SwitchRecord]:
    return list(world.context().find_switches())


def brief(world: World) -> list[tuple[str, str, str | None, bool]]:
    return [(r.method, r.from_server, r.to_server, r.verified) for r in noted(world)]


def finish(world: World, host: str = NODE) -> None:
    for step in AFTER:
        world.run(step, host)


def replay(world: World, before: CloudSnapshot, folder: Path) -> tuple[list[dict[str, Any]], ReplayReport]:
    """Conclude the campaign; return the switchovers of its trace, and how the trace is judged."""
    conclude(world.context(), folder)
    document = world.recorded.document(Document.REPORT)
    assert document is not None
    trace = document["trace"]
    return [e for e in trace["events"] if e["event"] == "switchover"], check_trace(before, trace)


def test_a_switchover_that_was_seen_is_noted_once_with_who_took_over(pair: World) -> None:
    give_address(pair, "a")
    managers = register(pair, acting(InstanceAction.OWN_ACTION))
    ask(pair, managers, moves_to="b")
    once = noted(pair)
    assert brief(pair) == [("vnfm", "a", "b", True)]
    managers.hear()
    assert noted(pair) == once


def test_who_agreed_has_switched_also_when_the_node_gives_way_for_who_refused(pair: World) -> None:
    give_address(pair, "a")
    pair.boot("c")
    agree = acting(InstanceAction.OWN_ACTION)
    managers = register(
        pair,
        lambda record: refuse(record) if record.notice.instance_id == "c" else agree(record),
        kind=VnfmKind.FENIX_B,
    )
    assert "refused" in ask(pair, managers, moves_to="b")
    assert pair.enabled()
    assert brief(pair) == [("vnfm", "a", "b", True)]
    give_address(pair, "a")
    for other in set(pair.hosts) - {NODE}:
        pair.recorded.set_progress(other, NodeState.RELEASED, now=pair.clock())
    pair.clock.sleep(61.0)
    pair.turn(Step.SWITCHOVER)
    give_address(pair, "b")
    managers.hear()
    managers.hear()
    switched = ("vnfm", "a", "b", True)
    assert brief(pair) == [switched, ("found", "b", "a", True), switched], "one for each asking"


def test_where_nothing_can_be_seen_the_manager_is_believed(pair: World) -> None:
    managers = register(pair, acting(InstanceAction.OWN_ACTION))
    ask(pair, managers)
    assert brief(pair) == [("vnfm", "a", "b", False)]
    assert "b is taken for it" in noted(pair)[0].message


def test_a_lie_is_no_switchover(pair: World) -> None:
    give_address(pair, "a")
    managers = register(pair, acting(InstanceAction.OWN_ACTION))
    assert "vnf_untrue" in ask(pair, managers)
    assert noted(pair) == []


@pytest.mark.parametrize(("moves_to", "found"), [("b", [("vnfm", "a", "b", True)]), (None, [])])
def test_a_member_that_is_moved_gave_its_role_away_only_if_that_was_seen(
    pair: World, moves_to: str | None, found: list[Any]
) -> None:
    give_address(pair, "a")
    managers = register(pair, acting(InstanceAction.MIGRATE))
    ask(pair, managers, moves_to=moves_to)
    assert brief(pair) == found
    assert pair.facts().agreement == Agreement(leaves=("a",))


def test_a_member_that_is_moved_is_not_said_to_have_switched_where_nothing_is_seen(pair: World) -> None:
    managers = register(pair, acting(InstanceAction.MIGRATE))
    ask(pair, managers)
    assert noted(pair) == []


def test_silence_is_no_switchover(pair: World) -> None:
    managers = register(pair, keep_silent, reply_seconds=1.0)
    pair.admit()
    pair.run(Step.PRECHECK)
    managers.hear()
    pair.clock.sleep(2.0)
    managers.hear()
    assert pair.facts().agreement == Agreement(leaves=("a",))
    assert noted(pair) == []


def test_a_standby_has_nothing_to_give_away(pair: World) -> None:
    managers = register(pair, acting(InstanceAction.OWN_ACTION))
    ask(pair, managers, "node-02")
    assert pair.facts("node-02").agreement == Agreement(stays=("b",))
    assert noted(pair) == []


def test_what_is_seen_counts_before_what_is_declared(pair: World, tmp_path: Path) -> None:
    """The VNF has failed over since its file was written: the declared standby has the address."""
    before = pair.context().fetch_snapshot()
    give_address(pair, "b")
    managers = register(pair, acting(InstanceAction.OWN_ACTION))
    ask(pair, managers)
    assert brief(pair) == [("found", "a", "b", True)], "no switchover: it was there already"
    finish(pair)
    ask(pair, managers, "node-02", moves_to="a")
    assert brief(pair) == [("found", "a", "b", True), ("vnfm", "b", "a", True)]
    finish(pair, "node-02")
    pair.run_up_to(Step.RELEASE, "node-03")
    events, report = replay(pair, before, tmp_path)
    assert [(e["from"], e["to"]) for e in events] == [("b", "a")]
    assert report.violations == ()
    assert report.facts.switchovers == 1


def test_a_switchover_after_the_deadline_is_found_at_the_next_asking(pair: World, tmp_path: Path) -> None:
    """Its manager was silent until the deadline and switched all the same, while its server moved."""
    give_address(pair, "a")
    before = pair.context().fetch_snapshot()
    silent = register(pair, keep_silent, reply_seconds=1.0)
    pair.admit()
    pair.run(Step.PRECHECK)
    silent.hear()
    pair.clock.sleep(2.0)
    silent.hear()
    give_address(pair, "b")
    finish(pair)
    assert noted(pair) == []
    managers = register(pair, acting(InstanceAction.OWN_ACTION))
    ask(pair, managers, "node-02", moves_to="a")
    assert brief(pair) == [("found", "a", "b", True), ("vnfm", "b", "a", True)]
    finish(pair, "node-02")
    ask(pair, managers, "node-03", moves_to="b")
    finish(pair, "node-03")
    _, report = replay(pair, before, tmp_path)
    assert report.violations == ()


@pytest.mark.parametrize("seen", [True, False])
def test_the_trace_of_both_nodes_is_judged_clean(pair: World, tmp_path: Path, *, seen: bool) -> None:
    if seen:
        give_address(pair, "a")
    before = pair.context().fetch_snapshot()
    managers = register(pair, acting(InstanceAction.OWN_ACTION))
    for host, taker in ((NODE, "b"), ("node-02", "a")):
        ask(pair, managers, host, moves_to=taker if seen else None)
        finish(pair, host)
    pair.run_up_to(Step.RELEASE, "node-03")
    events, report = replay(pair, before, tmp_path)
    assert [(e["ha_group"], e["from"], e["to"]) for e in events] == [("ha-a", "a", "b"), ("ha-a", "b", "a")]
    assert report.violations == ()
    assert report.facts.switchovers == 2


def test_an_active_member_that_stays_without_a_switchover_is_found(pair: World, tmp_path: Path) -> None:
    before = pair.context().fetch_snapshot()
    pair.run_up_to(Step.RELEASE)
    _, report = replay(pair, before, tmp_path)
    assert ViolationCode.ACTIVE_NOT_SWITCHED in report.counts()
