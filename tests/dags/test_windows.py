"""Windows: from the file beside the inventories to the schedules of the upgrade DAGs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.dags.conftest import ROOT
from tests.plugins.airflow_home import DOMAIN, write_inventory

from escalator.model.procedure import UPGRADE, Procedure

pytestmark = pytest.mark.airflow
DAG_ID = "upgrade__lab__cell1-az1-general"
WINDOW: dict[str, Any] = {
    "cloud": "lab",
    "domain": DOMAIN,
    "cron": "0 22 * * 2",
    "timezone": "Europe/Warsaw",
    "minutes": 240,
    "run": {"bundle": "nova-34", "max_parallel": 2, "mode": "non-smooth"},
}


@pytest.fixture
def folder(airflow_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inventory folder with one domain of four nodes."""
    assert airflow_home
    write_inventory(tmp_path, "lab", {DOMAIN: 4, "cell1/az2/other": 2})
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    monkeypatch.setenv("ESCALATOR_BUNDLE_DIR", str(ROOT / "include" / "bundles"))
    return tmp_path


def write(folder: Path, *windows: dict[str, Any]) -> None:
    document = {"schema": "escalator.windows/1", "windows": list(windows)}
    (folder / "windows.yaml").write_text(json.dumps(document))


def dags(procedure: Procedure = UPGRADE) -> dict[str, Any]:
    from escalator_airflow.generate import build_campaign_dags

    return {dag.dag_id: dag for dag in build_campaign_dags(procedure)}


def test_a_domain_with_a_window_is_scheduled_with_what_the_window_asks_for(folder: Path) -> None:
    write(folder, WINDOW)
    dag = dags()[DAG_ID]
    assert dag.timetable.summary == "0 22 * * 2 for 240 min"
    asked = dag.get_task("check_conditions").window.run
    assert (asked["bundle"], asked["max_parallel"], asked["mode"]) == ("nova-34", 2, "non-smooth")
    dag.validate()


def test_one_click_on_a_dag_with_a_window_starts_nothing(folder: Path) -> None:
    """What the window asks for is no default of the form: a person chooses a bundle."""
    write(folder, WINDOW)
    form = dags()[DAG_ID].params.dump()
    assert (form["bundle"], form["max_parallel"], form["on_blocked"]) == (None, 1, "refuse")


def test_a_domain_without_a_window_runs_on_demand(folder: Path) -> None:
    write(folder, WINDOW)
    assert not dags()["upgrade__lab__cell1-az2-other"].timetable.can_be_scheduled


def test_without_a_file_nothing_is_scheduled(folder: Path) -> None:
    assert folder
    assert not any(dag.timetable.can_be_scheduled for dag in dags().values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cron": "0 25 * * *"}, "'0 25 * * *' in Europe/Warsaw, is not possible"),
        ({"timezone": "Europe/Warschau"}, "Europe/Warschau"),
        ({"timezone": "Europe"}, "in Europe, is not possible"),
        ({"timezone": "x" * 5000}, "is not possible"),
        ({"minutes": 0}, "windows[0].minutes: must be at least 1"),
        ({"minutes": 20000}, "windows[0].minutes: must be at most 10080"),
        ({"cron": "0 * * * *"}, "windows overlap"),
        ({"cloud": "other"}, "has no node"),
        ({"domain": "cell1/az9/none"}, "has no node"),
        ({"run": {"bundle": "nova-99"}}, "'nova-99' is not known"),
        ({"run": {"bundle": "nova-34", "max_parallel": 4}}, "4 is impossible"),
    ],
)
def test_a_window_with_a_fault_is_an_import_error_and_schedules_nothing(
    folder: Path, change: dict[str, Any], said: str, told: pytest.LogCaptureFixture
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    write(folder, {**WINDOW, **change})
    bag = DagBag(dag_folder=ROOT / "dags" / "windows.py", known_pools={"default_pool", "escalator_admission"})
    (error,) = bag.import_errors.values()
    assert said in error
    found = dags()
    assert set(found) == {DAG_ID, "upgrade__lab__cell1-az2-other"}
    assert not any(dag.timetable.can_be_scheduled for dag in found.values())
    assert said in told.text


def test_a_file_that_is_not_yaml_is_named(folder: Path) -> None:
    from escalator.model.errors import InvalidRequestError
    from escalator_airflow.generate import judge_windows

    (folder / "windows.yaml").write_text("windows: [")
    with pytest.raises(InvalidRequestError, match=r"windows\.yaml cannot be read"):
        judge_windows()
