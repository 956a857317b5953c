from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import ROOT

pytestmark = pytest.mark.airflow

SCRIPT = """
import sys
from escalator_airflow import preload

class Job: ...

preload.on_starting(object())
assert "openstack" not in sys.modules
preload.on_starting(Job())
before = {name.partition(".")[0] for name in sys.modules}
import escalator_airflow.graph
after = {name.partition(".")[0] for name in sys.modules}
print(*sorted(after - before - set(sys.stdlib_module_names)))
"""


def test_what_reads_a_dag_or_runs_a_task_finds_the_libraries_there(airflow_home: Path) -> None:
    assert airflow_home
    paths = {"PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT / 'include'}", "AIRFLOW_HOME": str(airflow_home)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=paths, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["escalator"]


def test_what_is_not_installed_stops_nobody(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert airflow_home
    from escalator_airflow import preload

    class Job: ...

    imported: list[str] = []

    def import_module(name: str) -> None:
        if name == "paramiko":
            raise ModuleNotFoundError(name)
        imported.append(name)

    monkeypatch.setattr(preload.importlib, "import_module", import_module)
    preload.on_starting(Job())
    assert imported == [name for name in preload.LIBRARIES if name != "paramiko"]
