"""A pair without a manager, on a floating IP: it is switched over before its node is drained."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.steps.managers import acting, register
from tests.steps.worlds import NODE, World
from tests.vim_interface.switching.fakes import FLOATING, FakeBalancers, FakeNetwork, make_port

from escalator.model.campaign import NodeState, Step
from escalator.model.errors import EscalatorError, NodeFaultError, NotFoundError, TransientError
from escalator.model.load_balancer import PoolMember
from escalator.model.moves import Agreement
from escalator.model.network import FloatingIp
from escalator.model.notice import InstanceAction
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.model.vnf_means import FloatingIpMeans, OctaviaMeans
from escalator.vim_interface.registry import SwitchMeans
from escalator.vim_interface.switching.floating_ip import FloatingIpSwitcher


@pytest.fixture
def pair(world: World) -> World:
    """``a`` on the node has the address, ``b`` stands by elsewhere."""
    world.pairs = (("a", "b"),)
    world.boot("a")
    world.boot("b", "node-02")
    world.means = SwitchMeans(means={"ha-a": FloatingIpMeans(address=FLOATING)})
    network = FakeNetwork().add(make_port("a", NODE, "10.0.0.1"), make_port("b", "node-02", "10.0.0.2"))
    network.floating[FLOATING] = FloatingIp(id="f", address=FLOATING, port_id="p-a", fixed_address="10.0.0.1")
    cast("Any", world.cloud).network = network
    cast("Any", world.cloud).load_balancers = None
    return world


def holder(world: World) -> str | None:
    return str(cast("Any", world.cloud).network.floating[FLOATING].port_id)


def up_to_switchover(world: World) -> None:
    world.admit()
    world.run(Step.PRECHECK)


def test_the_address_goes_to_the_standby_and_nobody_is_moved(pair: World) -> None:
    up_to_switchover(pair)
    result = pair.turn(Step.SWITCHOVER).result
    assert result.outcome is Outcome.OK
    assert holder(pair) == "p-b"
    assert pair.facts().agreement == Agreement(stays=("a",))
    for step in (Step.MIGRATE, Step.UPGRADE, Step.VERIFY, Step.RELEASE):
        pair.run(step)
    assert pair.progress().state is NodeState.RELEASED
    assert pair.moves() == ()
    (switch,) = pair.ledger.switches().of_run(pair.plan.campaign, pair.plan.run_id)
    assert (switch.from_server, switch.to_server, switch.verified) == ("a", "b", True)
    assert switch.restored_at is not None


def test_a_second_run_switches_nothing_again(pair: World) -> None:
    up_to_switchover(pair)
    pair.turn(Step.SWITCHOVER)
    writes = list(cast("Any", pair.cloud).network.writes)
    assert pair.turn(Step.SWITCHOVER).result.outcome is Outcome.OK
    assert cast("Any", pair.cloud).network.writes == writes


def test_without_a_standby_in_service_the_node_is_held_and_given_back(pair: World) -> None:
    up_to_switchover(pair)
    pair.cloud.guests["b"].vm_state = "stopped"
    result = pair.turn(Step.SWITCHOVER).result
    assert (result.outcome, result.code) == (Outcome.HELD, Code.VNF_NO_STANDBY)
    assert holder(pair) == "p-a"
    pair.run(Step.RELEASE)
    assert pair.enabled()


def test_a_manager_that_says_it_acted_and_did_not_is_caught(pair: World) -> None:
    managers = register(pair, acting(InstanceAction.OWN_ACTION))
    up_to_switchover(pair)
    result = managers.hear().result
    assert result.outcome is Outcome.OK
    assert "vnf_untrue" in result.message
    assert pair.facts().agreement == Agreement(leaves=("a",))
    assert holder(pair) == "p-a"
    pair.run(Step.MIGRATE)
    assert [move.server_id for move in pair.moves()] == ["a"]


def test_a_manager_that_did_is_believed(pair: World) -> None:
    managers = register(pair, acting(InstanceAction.OWN_ACTION))
    up_to_switchover(pair)
    pair.turn(Step.SWITCHOVER)
    network = cast("Any", pair.cloud).network
    network.ensure_floating_ip(FLOATING, "p-b", "10.0.0.2")
    result = managers.hear().result
    assert "vnf_untrue" not in result.message
    assert pair.facts().agreement == Agreement(stays=("a",))


@pytest.mark.parametrize("moved", [True, False])
def test_without_any_declaration_a_floating_ip_tells(pair: World, *, moved: bool) -> None:
    pair.means = None
    managers = register(pair, acting(InstanceAction.OWN_ACTION))
    up_to_switchover(pair)
    pair.turn(Step.SWITCHOVER)
    if moved:
        cast("Any", pair.cloud).network.ensure_floating_ip(FLOATING, "p-b", "10.0.0.2")
    result = managers.hear().result
    assert ("vnf_untrue" in result.message) is not moved
    assert pair.facts().agreement == (Agreement(stays=("a",)) if moved else Agreement(leaves=("a",)))


@pytest.mark.parametrize("deleted", [True, False])
def test_a_server_that_its_manager_took_off_the_node_is_no_lie(pair: World, *, deleted: bool) -> None:
    """Its own action was to have it elsewhere, with its address."""
    managers = register(pair, acting(InstanceAction.OWN_ACTION))
    up_to_switchover(pair)
    pair.turn(Step.SWITCHOVER)
    if deleted:
        del pair.cloud.guests["a"]
    else:
        pair.cloud.guests["a"].host = "node-03"
    assert "vnf_untrue" not in managers.hear().result.message


@pytest.mark.parametrize(
    "error", [None, NotFoundError("no such port"), NodeFaultError("GET /role: HTTP 500")], ids=repr
)
def test_a_service_that_cannot_be_looked_up_is_moved(
    pair: World, monkeypatch: pytest.MonkeyPatch, error: EscalatorError | None
) -> None:
    """The address is mistyped, or was deleted."""

    def fail(*_: object) -> None:
        assert error is not None
        raise error

    pair.means = SwitchMeans(
        means={"ha-a": FloatingIpMeans(address="203.0.113.99" if error is None else FLOATING)}
    )
    if error is not None:
        monkeypatch.setattr(FloatingIpSwitcher, "is_healthy", fail)
    up_to_switchover(pair)
    result = pair.turn(Step.SWITCHOVER).result
    assert result.outcome is Outcome.OK
    assert "vnf_not_switched" in result.message
    pair.run(Step.MIGRATE)
    assert [move.server_id for move in pair.moves()] == ["a"]


def test_an_address_that_a_vnf_moved_by_itself_is_noted_and_not_switched(pair: World) -> None:
    pair.mode = "active-standby"
    up_to_switchover(pair)
    network = cast("Any", pair.cloud).network
    network.floating[FLOATING] = FloatingIp(id="f", address=FLOATING, port_id="p-b", fixed_address="10.0.0.2")
    for _ in range(2):
        assert pair.turn(Step.SWITCHOVER).result.outcome is Outcome.OK
    assert holder(pair) == "p-b"
    (found,) = pair.ledger.switches().of_run(pair.plan.campaign, pair.plan.run_id)
    assert (found.method, found.from_server, found.to_server) == ("found", "a", "b")
    assert not found.is_open
    roles = {s.id: s.ha_role for s in pair.context().fetch_snapshot().servers}
    assert roles == {"a": "standby", "b": "active"}


def test_a_cloud_that_does_not_answer_is_asked_again(pair: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def be_away(_: object) -> None:
        raise TransientError("Neutron is away")

    up_to_switchover(pair)
    monkeypatch.setattr(FloatingIpSwitcher, "find_role", be_away)
    with pytest.raises(TransientError):
        pair.turn(Step.SWITCHOVER)
    monkeypatch.undo()
    assert pair.turn(Step.SWITCHOVER).result.outcome is Outcome.OK
    assert pair.facts().agreement == Agreement(stays=("a",))


@pytest.fixture
def balanced(pair: World) -> World:
    """Both share the connections of a pool; the service of ``a`` has left it."""
    pair.means = SwitchMeans(means={"ha-a": OctaviaMeans(pool="web", drain_seconds=30)})
    members = [make_member(server, n) for n, server in enumerate("ab", start=1)]
    cast("Any", pair.cloud).load_balancers = FakeBalancers({"web": members})
    up_to_switchover(pair)
    assert pair.turn(Step.SWITCHOVER).result.outcome is Outcome.OK
    assert weights(pair) == {"m-a": 0, "m-b": 5}
    return pair


def make_member(server: str, number: int) -> PoolMember:
    return PoolMember(
        id=f"m-{server}",
        pool_id="web",
        address=f"10.0.0.{number}",
        weight=5,
        enabled=True,
        provisioning_status="ACTIVE",
        operating_status="ONLINE",
    )


def weights(world: World) -> dict[str, int]:
    return {m.id: m.weight for m in cast("Any", world.cloud).load_balancers.members["web"]}


def test_weights_come_back_when_the_first_try_of_release_fails(
    balanced: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blocker came after the switchover: the node is held, and was not touched."""
    balanced.recorded.set_progress(NODE, NodeState.HELD, code=Code.VNF_NO_STANDBY, now=balanced.clock())
    balancers = cast("Any", balanced.cloud).load_balancers

    def away(*_: object) -> bool:
        raise TransientError("Octavia is away")

    with monkeypatch.context() as patch:
        patch.setattr(balancers, "ensure_weight", away)
        with pytest.raises(TransientError):
            balanced.run(Step.RELEASE)
    assert balanced.enabled()
    assert weights(balanced)["m-a"] == 0
    assert balanced.run(Step.RELEASE).message == "node-01 was given back before"
    assert weights(balanced) == {"m-a": 5, "m-b": 5}
    assert (balanced.progress().state, balanced.progress().code) == (NodeState.HELD, Code.VNF_NO_STANDBY)


@pytest.mark.parametrize("last", [Step.SWITCHOVER, Step.MIGRATE, Step.UPGRADE])
def test_weights_come_back_when_a_person_enabled_the_node(balanced: World, last: Step) -> None:
    for step in (Step.MIGRATE, Step.UPGRADE):
        if list(Step).index(step) <= list(Step).index(last):
            balanced.run(step)
    balanced.cloud.person_enables(NODE)
    assert balanced.run(Step.RELEASE).code is Code.LEASE_LOST
    assert weights(balanced) == {"m-a": 5, "m-b": 5}


def test_weights_of_a_node_that_is_left_out_stay_until_it_is_back(balanced: World) -> None:
    balanced.run(Step.MIGRATE)
    balanced.begin(Step.UPGRADE).progress(NodeState.HELD, Code.STEP_HUNG)
    balanced.run(Step.RELEASE)
    assert not balanced.enabled()
    assert weights(balanced)["m-a"] == 0
    balanced.cloud.person_enables(NODE)
    balanced.run(Step.RELEASE)
    assert weights(balanced)["m-a"] == 5
