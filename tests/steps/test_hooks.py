"""The bundle's own commands, in the steps: when they are run, and what comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import KilledError
from tests.steps.worlds import BUNDLE, NEW, NODE, OLD, World

from escalator.model.bundle import Artefact, Bundle, NoMechanism
from escalator.model.campaign import NodeState, Step
from escalator.model.errors import NodeFaultError
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.system_support.mechanisms import JobFailedError
from escalator.system_support.remote_job import JobOverdueError, JobState, JobStatus

HOOKS = {"pre": ("a", "b"), "post": ("c",), "verify": ("d",)}
FILE = Artefact(name="x", source="/x", sha256="0" * 64)
HOOKED = replace(BUNDLE, hooks=HOOKS, hook_seconds=7.0, artefacts=(FILE,))


def emptied(world: World, bundle: Bundle = HOOKED) -> World:
    world.bundle = bundle
    world.run_up_to(Step.MIGRATE)
    return world


@pytest.fixture
def empty(world: World) -> World:
    return emptied(world)


def fail(output: str = "looking\nno light on eth3\n") -> JobFailedError:
    status = JobStatus(state=JobState.EXITED, exit_code=1, output=output)
    return JobFailedError("the hooks fail: no light on eth3", status=status, remedy="read the log")


def times(world: World) -> list[str]:
    return [str(hook.when) for hook in world.hooked]


def test_pre_is_run_before_the_switch_post_after_it_and_verify_when_the_node_is_proved(empty: World) -> None:
    upgraded = empty.run(Step.UPGRADE)
    assert upgraded.outcome is Outcome.OK
    assert [(h["when"], h["succeeded"], h["output"]) for h in upgraded.details["hooks"]] == [  # type: ignore[attr-defined]
        ("pre", True, f"pre on {NODE}: {OLD} to {NEW}\n"),
        ("post", True, f"post on {NODE}: {NEW} to {NEW}\n"),
    ]
    verified = empty.run(Step.VERIFY)
    assert verified.message == "service, version, hypervisor, inventory, agents, hooks and canary are good"
    assert times(empty) == ["pre", "post", "verify"]
    first = empty.hooked[0]
    assert (first.commands, first.limit_seconds, first.artefacts) == (("a", "b"), 7.0, (FILE,))
    assert not first.fetches


def test_a_bundle_without_hooks_runs_none(world: World) -> None:
    emptied(world, BUNDLE)
    assert "hooks" not in world.run(Step.UPGRADE).details
    world.run(Step.VERIFY)
    assert world.hooked == []


def test_a_pre_hook_that_fails_lets_nothing_be_switched_and_the_node_stays_out(empty: World) -> None:
    empty.hook_faults["pre"] = fail()
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.HOOK_FAILED)
    assert "no light on eth3" in result.message
    assert (empty.nodes[NODE].running, empty.nodes[NODE].switched) == (OLD, 0)
    empty.run(Step.RELEASE)
    assert not empty.enabled()
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert times(empty) == ["pre", "pre", "post"]


def test_a_post_hook_that_fails_fails_the_node_with_its_new_software(empty: World) -> None:
    empty.hook_faults["post"] = fail()
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.HOOK_FAILED)
    assert empty.nodes[NODE].running == NEW
    assert empty.progress().state is not NodeState.UPGRADED
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert empty.nodes[NODE].switched == 1


def test_verify_decides_and_no_canary_is_booted_where_it_says_no(empty: World) -> None:
    empty.run(Step.UPGRADE)
    empty.hook_faults["verify"] = fail()
    result = empty.run(Step.VERIFY)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.HOOK_FAILED)
    assert empty.facts().verified is None
    assert "canary" not in empty.verbs()
    empty.run(Step.RELEASE)
    assert not empty.enabled()
    assert empty.run(Step.VERIFY).outcome is Outcome.OK


def test_a_node_with_other_faults_is_not_asked_by_its_hooks(empty: World) -> None:
    empty.run(Step.UPGRADE)
    empty.nodes[NODE].running = OLD
    assert empty.run(Step.VERIFY).code is Code.VERSION_MISMATCH
    assert "verify" not in times(empty)


def test_a_hook_that_does_not_end_hangs_and_a_node_that_is_away_is_named_so(empty: World) -> None:
    empty.hook_faults["pre"] = JobOverdueError("still runs")
    assert empty.run(Step.UPGRADE).code is Code.STEP_HUNG
    empty.hook_faults["pre"] = NodeFaultError("no route", code=Code.NODE_UNREACHABLE)
    assert empty.run(Step.UPGRADE).code is Code.NODE_UNREACHABLE


def test_hooks_are_all_that_is_done_where_the_bundle_brings_nothing(world: World) -> None:
    emptied(world, replace(BUNDLE, mechanism=NoMechanism(), hooks=HOOKS))
    result = world.run(Step.UPGRADE)
    assert (result.outcome, result.message) == (Outcome.OK, "the bundle brings nothing to the node")
    assert times(world) == ["pre", "post"]
    assert world.facts().upgrade_begun is not None
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    world.run(Step.RELEASE)
    assert world.enabled()


def test_killed_anywhere_it_is_run_again_and_the_service_restarts_once(make_world: MakeWorld) -> None:
    whole = emptied(make_world())
    before = whole.fuse.burnt
    whole.run(Step.UPGRADE)
    for count in range(0, whole.fuse.burnt - before, 3):
        world = emptied(make_world())
        world.fuse.left = count
        with pytest.raises(KilledError):
            world.run(Step.UPGRADE)
        assert world.run(Step.UPGRADE).outcome is Outcome.OK
        assert times(world)[-2:] == ["pre", "post"]
        assert (world.nodes[NODE].running, world.nodes[NODE].switched) == (NEW, 1), count


def test_what_hooks_printed_is_kept_for_the_report(empty: World) -> None:
    empty.hook_faults["post"] = fail()
    empty.run(Step.UPGRADE)
    runs = [s for s in empty.record(empty.plan).run.steps() if s.step is Step.UPGRADE]
    assert [hook["output"] for hook in runs[-1].details["hooks"]][-1] == "looking\nno light on eth3\n"
