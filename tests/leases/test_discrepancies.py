from __future__ import annotations

from datetime import timedelta

import pytest
from tests.leases.conftest import Look
from tests.steps.worlds import NODE, World

from escalator.leases.discrepancies import find_discrepancies
from escalator.leases.settle import settle_runs
from escalator.ledger.records import Document
from escalator.model.campaign import NodeState, Step
from escalator.model.known_lease import KnownLease
from escalator.model.run_life import RunLife
from escalator.model.verdict import Code, Verdict


def find(world: World, life: RunLife, *known: KnownLease, minutes: int = 0) -> tuple[Verdict, ...]:
    runs = [(run, life) for run in world.ledger.open_runs("lab")]
    now = world.clock() + timedelta(minutes=minutes)
    return find_discrepancies([world.service(host) for host in world.hosts], known, runs, now)


def settle(world: World, life: RunLife) -> list[str]:
    runs = [(run, life) for run in world.ledger.open_runs("lab")]
    services = [world.service(host) for host in world.hosts]
    return list(settle_runs(world.ledger, runs, services, who="ann@deploy", now=world.clock()))


def put_out(world: World) -> None:
    """Put the node out, as the ledger and the cloud have it in mid-drain."""
    world.take()
    world.begin(Step.MIGRATE).progress(NodeState.MIGRATING)


@pytest.mark.parametrize("life", [RunLife.RUNNING, RunLife.NOT_ASKED, RunLife.FINISHED])
def test_a_run_that_waits_or_was_ended_is_in_order(world: World, life: RunLife) -> None:
    assert find(world, life, minutes=60) == ()


def test_a_node_that_is_out_for_a_living_run_is_in_order(world: World, look: Look) -> None:
    put_out(world)
    assert find(world, RunLife.RUNNING, look(RunLife.RUNNING), minutes=600) == ()


@pytest.mark.parametrize("life", [RunLife.FINISHED, RunLife.DELETED])
def test_a_lease_that_nobody_ends_is_found_with_what_to_do(world: World, look: Look, life: RunLife) -> None:
    put_out(world)
    world.recorded.set_document(Document.REPORT, {})
    (found,) = find(world, life, look(life))
    assert (found.code, found.subject.id) == (Code.LEASE_ORPHANED, NODE)
    assert f"its run {world.plan.run_id} is {life}" in found.message
    assert f"escalator leases release {NODE}" in str(found.remedy)


@pytest.mark.parametrize("life", [RunLife.FINISHED, RunLife.DELETED])
@pytest.mark.parametrize("reason", [None, "broken fan"])
def test_a_node_that_only_the_ledger_has_out_is_found(
    world: World, life: RunLife, reason: str | None
) -> None:
    put_out(world)
    world.recorded.set_document(Document.REPORT, {})
    if reason is None:
        world.cloud.person_enables(NODE)
    else:
        world.cloud.person_disables(NODE, reason)
    (found,) = find(world, life)
    assert (found.code, found.subject.id) == (Code.LEASE_LOST, NODE)
    assert f"the ledger has it out (migrating) for run {world.plan.run_id}" in found.message
    assert ("it is enabled" if reason is None else "disabled with the reason 'broken fan'") in found.message
    assert "escalator leases settle" in str(found.remedy)


def test_a_node_of_a_living_run_may_be_on_its_way_for_a_while(world: World) -> None:
    world.begin(Step.ADMIT).progress(NodeState.ADMITTED)
    assert find(world, RunLife.RUNNING, minutes=10) == ()
    (found,) = find(world, RunLife.RUNNING, minutes=20)
    assert "its next step" in str(found.remedy) or "the next step" in str(found.remedy)


def test_a_run_that_airflow_lost_is_found_until_it_is_settled(world: World) -> None:
    (found,) = find(world, RunLife.DELETED)
    assert (found.code, found.subject.id) == (Code.RUN_DELETED, world.plan.campaign)
    lines = settle(world, RunLife.DELETED)
    assert len(lines) == 3 + 1  # its nodes, and itself
    assert lines[0].startswith(f"{NODE}: skipped in run {world.plan.run_id}")
    assert find(world, RunLife.DELETED) == ()
    assert settle(world, RunLife.DELETED) == []


@pytest.mark.parametrize("life", [RunLife.RUNNING, RunLife.NOT_ASKED])
def test_a_run_that_may_live_is_not_settled(world: World, life: RunLife) -> None:
    put_out(world)
    world.cloud.person_enables(NODE)
    assert settle(world, life) == []
    assert world.progress().state is NodeState.MIGRATING


def test_a_lease_whose_node_never_said_that_it_took_it_is_ended_first_as_well(world: World) -> None:
    """Its admit was killed between its write to the cloud and its word to the ledger."""
    world.take()
    assert (
        settle(world, RunLife.DELETED)[0] == f"{NODE}: left, it has a lease of run {world.plan.run_id} still"
    )
    assert world.progress().state is NodeState.WAITING


def test_a_lease_is_ended_before_its_node_is_settled(world: World) -> None:
    put_out(world)
    assert settle(world, RunLife.FINISHED) == [
        f"{NODE}: left, it has a lease of run {world.plan.run_id} still"
    ]
    world.cloud.person_enables(NODE)
    (line,) = settle(world, RunLife.FINISHED)
    assert "its run was finished; settled by ann@deploy; in the cloud it is enabled" in line
    assert (world.progress().state, world.progress().code) == (NodeState.HELD, Code.CUT_OFF)
    waiting = world.progress("node-02")
    assert waiting.state is NodeState.WAITING  # a run that Airflow has can be cleared


@pytest.mark.parametrize(
    ("life", "dags", "found"),
    [
        (RunLife.RUNNING, {"upgrade__lab": (NODE, "node-02", "node-03")}, []),
        (RunLife.RUNNING, {"upgrade__lab": ("node-02",)}, [NODE, "node-03"]),
        (RunLife.RUNNING, {}, [NODE, "node-02", "node-03"]),
        (RunLife.FINISHED, {}, []),
        (RunLife.RUNNING, None, []),
    ],
)
def test_a_node_of_a_living_run_whose_dag_has_no_tasks_for_it_any_more_is_found(
    world: World, life: RunLife, dags: dict[str, tuple[str, ...]] | None, found: list[str]
) -> None:
    runs = [(run, life) for run in world.ledger.open_runs("lab")]
    verdicts = find_discrepancies((), (), runs, world.clock(), dags=dags)
    assert [(v.code, v.subject.id) for v in verdicts] == [(Code.NODE_NO_DAG, host) for host in found]


def find_stopped(world: World, life: RunLife, minutes: int = 20) -> list[str]:
    runs = [(run, life) for run in world.ledger.open_runs("lab")]
    services = [world.service(host) for host in world.hosts]
    now = world.clock() + timedelta(minutes=minutes)
    stopped = {(run.dag_id, run.run_id): world.hosts for run, _ in runs}
    verdicts = find_discrepancies(services, (), runs, now, stopped=stopped)
    return [f"{v.subject.id} {v.code} {v.remedy}" for v in verdicts]


@pytest.mark.parametrize("said", [True, False])
def test_a_node_that_is_out_for_a_living_run_without_a_task_that_goes_on_is_found(
    world: World, *, said: bool
) -> None:
    """Its release, or its admit after its write, failed at every try: the other nodes wait for its place."""
    if said:
        put_out(world)
    else:
        world.take()
    assert find_stopped(world, RunLife.RUNNING) == [f"{NODE} cut_off clear {NODE}.admit with downstream"]
    assert find_stopped(world, RunLife.RUNNING, minutes=10) == []
    assert find_stopped(world, RunLife.NOT_ASKED) == []


def test_a_node_that_did_not_go_is_not_out_although_its_tasks_have_ended(world: World) -> None:
    world.begin(Step.ADMIT).progress(NodeState.WAITING, Code.WINDOW_CLOSED)
    assert find_stopped(world, RunLife.RUNNING) == []
