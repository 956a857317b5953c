"""A second procedure, declared here, and the DAG that is built from it."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.dags.conftest import ROOT
from tests.dags.test_windows import WINDOW, dags, write
from tests.plugins.airflow_home import DOMAIN, write_inventory

from escalator.model.procedure import UPGRADE, Procedure, Stage
from escalator.model.step import Step

pytestmark = pytest.mark.airflow
DAG_ID = "rehearsal__lab__cell1-az1-general"
REHEARSAL = Procedure(
    name="rehearsal",
    purpose="Rehearse on the compute nodes",
    stages=(
        Stage(step=Step.ADMIT, priority=3, hard_limit_seconds=3600.0),
        Stage(step=Step.MIGRATE, priority=7, hard_limit_seconds=120.0),
        Stage(step=Step.VERIFY, priority=5, hard_limit_seconds=240.0),
        Stage(step=Step.PRECHECK, priority=9, hard_limit_seconds=60.0),
        Stage(step=Step.RELEASE, priority=8, hard_limit_seconds=30.0),
    ),
)


@pytest.fixture
def folder(airflow_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inventory folder with one domain of two nodes."""
    assert airflow_home
    write_inventory(tmp_path, "lab", {DOMAIN: 2})
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    monkeypatch.setenv("ESCALATOR_BUNDLE_DIR", str(ROOT / "include" / "bundles"))
    return tmp_path


@pytest.fixture
def dag(folder: Path) -> Any:
    assert folder
    (dag,) = dags(REHEARSAL).values()
    return dag


def life(dag: Any, host: str = "general-001") -> list[Any]:
    """Return the tasks of a node in the order that the procedure declares."""
    return [dag.get_task(f"{host}.{step}") for step in REHEARSAL.steps]


def test_the_dag_says_what_it_does(dag: Any) -> None:
    assert dag.dag_id == DAG_ID
    assert dag.description == f"Rehearse on the compute nodes of {DOMAIN} in lab, node by node"
    assert dag.get_task("check_conditions").procedure == "rehearsal"
    groups = dag.task_group.get_task_group_dict()
    assert groups["general-001"].tooltip == "Rehearsal of general-001"


def test_a_node_has_the_declared_steps_and_no_other(dag: Any) -> None:
    tasks = {task.task_id for task in dag.tasks if "." in task.task_id}
    hosts = ("general-001", "general-002")
    assert tasks == {f"{host}.{step}" for host in hosts for step in REHEARSAL.steps}


def test_the_steps_come_in_the_declared_order(dag: Any) -> None:
    admit, *between, release = life(dag)
    for before, after in pairwise((admit, *between, release)):
        assert after.task_id in before.downstream_task_ids
        assert before.task_id not in after.downstream_task_ids
    for task in between:
        assert admit.task_id in task.upstream_task_ids
        assert release.task_id in task.downstream_task_ids
    assert dag.get_task("prepare").downstream_task_ids == {
        "general-001.admit",
        "general-002.admit",
        "prepare_others",
        "probe_services",
        "restore_scale_up",
    }
    ends = {"general-001.release", "general-002.release"}
    assert dag.get_task("restore_scale_up").upstream_task_ids == ends | {"prepare"}


def test_priorities_and_limits_are_the_declared_ones(dag: Any) -> None:
    assert [task.priority_weight for task in life(dag)] == [3, 7, 5, 9, 8]
    limits = [task.execution_timeout for task in life(dag)]
    assert limits == [timedelta(seconds=n) for n in (3600, 2 * 120, 2 * 240, 2 * 60, 2 * 30)]


def test_a_dump_of_the_databases_has_its_time_beside_the_check(folder: Path, dag: Any) -> None:
    assert dag.get_task("check_conditions").execution_timeout == timedelta(minutes=15)
    path = folder / "lab.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text()), "dump": {"command": "d", "limit_seconds": 60}})
    )
    found = dags(REHEARSAL)[DAG_ID].get_task("check_conditions")
    assert found.execution_timeout == timedelta(minutes=16)


def test_the_first_stage_sets_up_and_the_last_tears_down(dag: Any) -> None:
    admit, *between, release = life(dag)
    assert (admit.is_setup, admit.is_teardown) == (True, False)
    assert (release.is_setup, release.is_teardown) == (False, True)
    assert not any(task.is_setup or task.is_teardown for task in between)


def test_a_window_begins_no_procedure_that_does_not_say_so(folder: Path) -> None:
    write(folder, {**WINDOW, "run": {"bundle": "nova-34"}})
    assert dags(UPGRADE)["upgrade__lab__cell1-az1-general"].timetable.can_be_scheduled
    assert not dags(REHEARSAL)[DAG_ID].timetable.can_be_scheduled


def test_a_file_of_ten_lines_declares_its_dags(folder: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    text = (ROOT / "dags" / "upgrade.py").read_text().replace("escalator.model.procedure", __name__)
    path = folder / "rehearsal.py"
    path.write_text(text.replace("UPGRADE", "REHEARSAL"))
    bag = DagBag(dag_folder=path, known_pools={"default_pool", "escalator_admission"})
    assert (bag.import_errors, set(bag.dags)) == ({}, {DAG_ID})
    assert len(text.splitlines()) <= 12
