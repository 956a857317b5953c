from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import KilledError
from tests.steps.worlds import NODE, OLD, World

from escalator.model.campaign import Step
from escalator.model.errors import NodeFaultError
from escalator.model.failed_nodes import OnFailedNode, OwnRollback
from escalator.steps.campaign.conclude import conclude
from escalator.steps.campaign.taking_back import (
    MOST_OF_RUN_ID,
    NOT_RECORDED,
    _name_run,
    read_own_rollbacks,
    start_own_rollbacks,
)

BACK, BACK_ALL = OnFailedNode.ROLLBACK_NODE, OnFailedNode.ROLLBACK_CAMPAIGN


@dataclass
class Starter:
    """Takes the place of Airflow: a run of an id begins once; to the first few requests it may be away."""

    says: str = ""
    away: int = 0
    dies: bool = False
    runs: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def __call__(self, rollback: OwnRollback, conf: Mapping[str, Any]) -> str:
        if self.says:
            return self.says
        if self.away:
            self.away -= 1
            return "Airflow does not answer -> clear conclude"
        self.runs.setdefault((rollback.campaign, rollback.run_id), dict(conf))
        if self.dies:
            self.dies = False
            raise KilledError
        return ""


def fail(world: World, host: str = NODE) -> None:
    world.nodes[host].activate_faults = [NodeFaultError("disk full")]
    world.run_up_to(Step.UPGRADE, host)
    world.run(Step.RELEASE, host)


@pytest.fixture
def failed(make_world: MakeWorld) -> World:
    """A world in which one node is upgraded, and one failed."""
    world = make_world(on_failed_node=BACK, max_failed_nodes=2, max_parallel=2)
    world.run_up_to(Step.RELEASE, "node-02")
    fail(world)
    return world


def test_a_rollback_is_started_for_the_node_that_failed(failed: World, tmp_path: Path) -> None:
    airflow = Starter()
    (started,) = start_own_rollbacks(failed.context(), airflow)
    assert (started.hosts, started.is_started) == ((NODE,), True)
    assert started.campaign == failed.plan.campaign.replace("upgrade", "rollback")
    ((key, conf),) = airflow.runs.items()
    assert key == (started.campaign, f"rollback-node-1__{failed.plan.run_id}")
    assert (conf["run_id"], conf["hosts"], conf["max_parallel"]) == (failed.plan.run_id, [NODE], 2)
    conclusion = conclude(failed.context(), tmp_path)
    report = json.loads(conclusion.paths.json.read_text())
    assert [row["run_id"] for row in report["rollbacks"]] == [started.run_id]
    assert "rollback_started" in {finding["code"] for finding in report["findings"]}
    (fault,) = (fault for fault in conclusion.faults if NODE in fault)
    assert f"it is taken back by {started}" in fault


def test_the_whole_campaign_is_taken_back_where_that_is_wanted(make_world: MakeWorld) -> None:
    world = make_world(on_failed_node=BACK_ALL)
    world.run_up_to(Step.RELEASE, "node-02")
    fail(world)
    assert "no further node goes out" in world.admit("node-03").message
    (started,) = start_own_rollbacks(world.context(), Starter())
    assert sorted(started.hosts) == [NODE, "node-02"]


@pytest.mark.parametrize("policy", [None, OnFailedNode.QUARANTINE])
def test_a_node_that_is_quarantined_stays_for_a_person(
    make_world: MakeWorld, policy: OnFailedNode | None
) -> None:
    world = make_world(on_failed_node=policy)
    fail(world)
    airflow = Starter()
    assert start_own_rollbacks(world.context(), airflow) == ()
    assert airflow.runs == {}


def test_a_second_look_starts_nothing_again(failed: World) -> None:
    airflow = Starter(dies=True)
    with pytest.raises(KilledError):
        start_own_rollbacks(failed.context(), airflow)
    first = start_own_rollbacks(failed.context(), airflow)
    assert start_own_rollbacks(failed.context(), airflow) == first == read_own_rollbacks(failed.recorded)
    assert len(airflow.runs) == 1


def test_another_node_that_fails_later_gets_a_rollback_of_its_own(failed: World) -> None:
    airflow = Starter()
    start_own_rollbacks(failed.context(), airflow)
    fail(failed, "node-03")
    start_own_rollbacks(failed.context(), airflow)
    assert [conf["hosts"] for conf in airflow.runs.values()] == [[NODE], ["node-03"]]


def test_what_airflow_does_not_start_is_said_and_tried_again(failed: World, tmp_path: Path) -> None:
    paused = Starter(says="the DAG is paused -> unpause it")
    (told,) = start_own_rollbacks(failed.context(), paused)
    assert not told.is_started
    conclusion = conclude(failed.context(), tmp_path)
    assert "not taken back: the DAG is paused" in str(conclusion.faults)
    findings = json.loads(conclusion.paths.json.read_text())["findings"]
    (found,) = (finding for finding in findings if finding["code"] == "rollback_not_started")
    assert found["message"].endswith("is not started: the DAG is paused")
    assert found["remedy"] == "unpause it"
    (again,) = start_own_rollbacks(failed.context(), Starter())
    assert (again.run_id, again.is_started) == (told.run_id, True)


def test_nodes_that_go_back_to_different_versions_have_a_rollback_each(failed: World) -> None:
    fail(failed, "node-03")
    failed.recorded.remember("node-03", from_version="32.0.0")
    assert failed.facts(NODE).from_version == OLD
    started = start_own_rollbacks(failed.context(), Starter())
    assert {each.hosts for each in started} == {(NODE,), ("node-03",)}
    assert len({each.run_id for each in started}) == 2


def test_a_rollback_that_could_not_be_started_is_not_taken_for_one_that_was(failed: World) -> None:
    """Airflow was away for the first of two, and is asked again: under an id of its own."""
    fail(failed, "node-03")
    failed.recorded.remember("node-03", from_version="32.0.0")
    airflow = Starter(away=1)
    first = start_own_rollbacks(failed.context(), airflow)
    assert [each.is_started for each in first] == [False, True]
    again = start_own_rollbacks(failed.context(), airflow)
    assert all(each.is_started for each in again)
    assert sorted(conf["hosts"] for conf in airflow.runs.values()) == [[NODE], ["node-03"]]


def test_a_node_of_which_nobody_knows_what_it_had_is_left_to_a_person(failed: World) -> None:
    failed.recorded.remember(NODE, from_version=None)
    airflow = Starter()
    (told,) = start_own_rollbacks(failed.context(), airflow)
    assert (told.not_started, airflow.runs) == (NOT_RECORDED, {})


def test_an_id_is_as_long_as_airflow_takes_it() -> None:
    long = "x" * MOST_OF_RUN_ID
    first, second = (_name_run(BACK, number, long) for number in (1, 2))
    assert len(first) == len(second) == MOST_OF_RUN_ID
    assert first != second
