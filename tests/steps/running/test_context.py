"""How a step reaches a node: a shell when it is needed, and jobs that join one another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.steps.fake_mechanism import READ
from tests.steps.worlds import BUNDLE, NEW, NODE, World

from escalator.model.bundle import NoMechanism
from escalator.model.campaign import Step
from escalator.model.step import Outcome
from escalator.steps.campaign.prepare import prepare


def test_a_shell_connects_at_its_first_command(world: World) -> None:
    with world.context().shell(NODE) as shell:
        assert (shell.host, world.connections) == (NODE, [])
        shell.run(READ)
        shell.run(READ)
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
