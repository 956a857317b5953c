"""The registry of VNF managers: its faults show before a campaign begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.dags import test_windows
from tests.dags.conftest import ROOT
from tests.dags.test_windows import DAG_ID, WINDOW

pytestmark = pytest.mark.airflow
folder = test_windows.folder
VNFM: dict[str, Any] = {
    "id": "one",
    "cloud": "lab",
    "kind": "webhook",
    "url": "http://v.example/",
    "projects": ["p"],
}


def write(folder: Path, *vnfms: dict[str, Any]) -> None:
    (folder / "vnfms.yaml").write_text(json.dumps({"schema": "escalator.vnfms/1", "vnfms": list(vnfms)}))


def import_errors() -> list[str]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=ROOT / "dags" / "vnfms.py", known_pools={"default_pool", "escalator_admission"})
    return list(bag.import_errors.values())


def is_scheduled() -> bool:
    return bool(test_windows.dags()[DAG_ID].timetable.can_be_scheduled)


def test_without_a_file_and_with_a_good_one_nothing_is_said(folder: Path) -> None:
    test_windows.write(folder, WINDOW)
    assert not import_errors()
    write(folder, VNFM)
    assert not import_errors()
    assert is_scheduled()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "v.example"}, "vnfms[0].url: must be an address"),
        ({"cloud": "other"}, "one is of cloud other, which has no inventory"),
    ],
)
def test_fault_is_an_import_error_and_schedules_nothing(
    folder: Path, change: dict[str, Any], said: str, told: pytest.LogCaptureFixture
) -> None:
    test_windows.write(folder, WINDOW)
    write(folder, {**VNFM, **change})
    (error,) = import_errors()
    assert said in error
    assert not is_scheduled()
    assert said in told.text
