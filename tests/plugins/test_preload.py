from __future__ import annotations

import shutil
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


UPDATE = """
import os, pathlib, sys
import escalator_plugin

class Job: ...

def hear(component):
    for listener in reversed(escalator_plugin.EscalatorPlugin.listeners):
        if not listener.__name__.endswith("pools"):  # that one needs Airflow's database
            listener.on_starting(component)

def ours():
    return {name for name in sys.modules if name.partition(".")[0] in {"escalator", "escalator_airflow"}}

def read():
    from escalator_airflow.pools import ADMISSION_POOL
    from escalator_airflow.timetables.maintenance_window import MaintenanceWindow
    return ADMISSION_POOL

kept = ours()
if sys.argv[1] == "job":
    hear(Job())
    assert not {name for name in ours() if name.partition(".")[0] == "escalator"}, ours()
file = pathlib.Path(sys.argv[2])
file.write_text(file.read_text().replace("escalator_admission", "escalator_admission_2"))
child = os.fork()
if child == 0:
    if sys.argv[1] == "task":
        hear(object())
        assert "openstack" not in sys.modules
    print(read())
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
assert kept <= ours()
print(read())
"""


@pytest.mark.parametrize("who", ["job", "task"])
def test_what_is_forked_runs_the_code_that_is_on_disk(airflow_home: Path, tmp_path: Path, who: str) -> None:
    """A job hands its forks nothing of ours; a task of any executor forgets what it was handed."""
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "plugins" / "escalator_airflow" / "pools.py"
    paths = {"PYTHONPATH": f"{tmp_path / 'plugins'}:{ROOT / 'include'}", "AIRFLOW_HOME": str(airflow_home)}
    words = [sys.executable, "-c", UPDATE, who, str(file)]
    done = subprocess.run(words, env=paths, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    in_fork, in_parent = done.stdout.splitlines()[-2:]
    assert (in_fork, in_parent) == ("escalator_admission_2", "escalator_admission")


def test_only_what_is_others_is_imported_for_the_life_of_a_job() -> None:
    from escalator_airflow import preload

    assert not [name for name in preload.LIBRARIES if name.partition(".")[0] in preload.OURS]


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
    monkeypatch.setattr(preload.os, "register_at_fork", lambda **_: None)
    preload.on_starting(Job())
    assert imported == [name for name in preload.LIBRARIES if name != "paramiko"]
