"""How a step reaches a node, and what it remembers of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from tests.steps.fake_mechanism import READ
from tests.steps.fake_records import START
from tests.steps.worlds import BUNDLE, NEW, NODE, World

from escalator.ledger.tables import CampaignRow, FactRow, NodeRow
from escalator.model.bundle import NoMechanism
from escalator.model.campaign import NodeState, Step
from escalator.model.errors import InvalidRequestError, SupersededError
from escalator.model.lease import LeasePhase
from escalator.model.moves import DrainPlan
from escalator.model.node_facts import NodeFacts
from escalator.model.step import Outcome
from escalator.steps.campaign.prepare import prepare

OF_TOMORROW = {"schema_version": 3, "host": NODE, "moves": []}


def store(world: World, key: str, value: object) -> None:
    """Write the row of a fact as it is."""
    node = sa.select(NodeRow.id).join(CampaignRow, NodeRow.campaign_id == CampaignRow.id)
    ours = node.where(CampaignRow.run_id == world.plan.run_id, NodeRow.host == NODE)
    with world.ledger._database.writing() as session:
        session.merge(FactRow(node_id=session.scalars(ours).one(), key=key, value=value))


def test_what_one_step_remembers_the_next_one_knows(world: World) -> None:
    world.begin(Step.ADMIT).remember(version=NEW, leased_at=START)
    assert world.begin(Step.VERIFY).facts == NodeFacts(version=NEW, leased_at=START)


def test_without_a_drain_plan_precheck_is_to_be_cleared(world: World) -> None:
    ctx = world.begin(Step.MIGRATE)
    assert ctx.recorded_plan() is None
    with pytest.raises(InvalidRequestError, match=f"clear the task {NODE}.precheck with downstream"):
        ctx.planned_drain()


def test_the_drain_plan_is_the_one_that_was_remembered(world: World) -> None:
    ctx = world.begin(Step.MIGRATE)
    plan = DrainPlan(host=NODE, staying=("sbc-a",))
    ctx.remember(drain_plan=plan)
    assert ctx.planned_drain() == ctx.recorded_plan() == plan


@pytest.mark.parametrize("step", [Step.SWITCHOVER, Step.MIGRATE, Step.UPGRADE])
@pytest.mark.parametrize("stored", [OF_TOMORROW, "none"])
def test_a_step_that_needs_an_unreadable_drain_plan_says_which_task_to_clear(
    world: World, step: Step, stored: object
) -> None:
    world.boot("web")
    world.run_up_to(Step.PRECHECK)
    store(world, "drain_plan", stored)
    with pytest.raises(InvalidRequestError, match=f"clear the task {NODE}.precheck with downstream"):
        world.run(step)
    assert not any(verb in {"live", "cold"} for verb in world.verbs())


def test_release_gives_an_untouched_node_back_although_its_drain_plan_is_unreadable(world: World) -> None:
    world.run_up_to(Step.PRECHECK)
    store(world, "drain_plan", OF_TOMORROW)
    assert world.run(Step.RELEASE).outcome is Outcome.OK
    assert world.enabled()


def test_precheck_mends_an_unreadable_drain_plan(world: World) -> None:
    world.run_up_to(Step.PRECHECK)
    store(world, "drain_plan", OF_TOMORROW)
    assert world.run(Step.PRECHECK).outcome is Outcome.OK
    assert world.drain_plan() == DrainPlan(host=NODE)


def test_a_node_whose_facts_are_unreadable_is_not_given_back(world: World) -> None:
    world.run_up_to(Step.PRECHECK)
    store(world, "upgrade_begun", "some day")
    with pytest.raises(InvalidRequestError, match="cannot be used"):
        world.run(Step.RELEASE)
    assert world.service().lease is not None
    assert world.progress().state is NodeState.CHECKED


def test_a_shell_connects_at_its_first_command(world: World) -> None:
    with world.context().shell(NODE) as shell:
        assert (shell.host, world.connections) == (NODE, [])
        shell.run_as_root(READ)
        shell.run_as_root(READ)
    assert world.connections == [NODE]


def test_a_job_of_the_same_node_and_purpose_has_the_same_id_whenever_it_is_made(world: World) -> None:
    context = world.context()
    job = context.node_job(NODE, "stage", within=timedelta(seconds=30))
    assert (job.version, job.deadline) == (NEW, world.clock.now + timedelta(seconds=30))
    world.clock.sleep(60)
    again = context.node_job(NODE, "stage", within=timedelta(seconds=30))
    assert again.job_id == job.job_id
    assert again.deadline > job.deadline
    others = (("node-02", "stage"), (NODE, "activate"))
    assert job.job_id not in {context.node_job(*o, within=timedelta(1)).job_id for o in others}


def test_with_a_bundle_that_brings_nothing_no_step_opens_a_connection(world: World) -> None:
    world.bundle = replace(BUNDLE, mechanism=NoMechanism())
    world.boot("web")
    assert prepare(world.context()) == {}
    result = world.run_up_to(Step.RELEASE)
    assert result is not None
    assert result.outcome is Outcome.OK
    assert world.connections == []
    assert world.enabled()


def test_a_superseded_attempt_remembers_nothing(world: World) -> None:
    """What it wrote last into the cloud is not what is there: the newer attempt has written since."""
    world.admit()
    older, newer = world.begin(Step.MIGRATE), world.begin(Step.MIGRATE)
    newer.ensure_phase(LeasePhase.DRAINING)
    with pytest.raises(SupersededError):
        older.remember(leases=("escalator:of:an:earlier:write",))
    assert world.holds_lease()
