"""A demonstration that was left running says how a person gets in, from a browser and from a shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from escalator.airflow_stack.stack import AirflowStack
from escalator.demo.cli import choose_folder
from escalator.demo.demo_world import DemoWorld
from escalator.demo.shell import list_ways_in, write_shell
from escalator.lab.lab import Lab
from escalator.lab.progress import silent
from escalator.lab.settings import LabSettings

LEDGER = "postgresql+psycopg2://airflow:hid'den@127.0.0.1:21251/escalator"


@pytest.fixture
def world(tmp_path: Path) -> DemoWorld:
    lab = Lab(LabSettings(home=tmp_path / "lab", instance=2), progress=silent())
    folder = tmp_path / "a demo"
    return DemoWorld(lab=lab, folder=folder, stack_home=tmp_path / "stack", instance=2, checkout=tmp_path)


@pytest.fixture
def stack(world: DemoWorld, monkeypatch: pytest.MonkeyPatch) -> AirflowStack:
    monkeypatch.setattr(AirflowStack, "database_url", lambda _self, _name: LEDGER)
    return world.stack(silent())


def test_a_shell_that_reads_the_file_means_this_demonstration(world: DemoWorld, stack: AirflowStack) -> None:
    path = write_shell(world, stack)
    assert path.stat().st_mode & 0o777 == 0o600
    read = subprocess.run(
        ["sh", "-c", '. "$0"; env', path],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(line.split("=", 1) for line in read.stdout.splitlines())
    wanted = {
        **world.variables,
        "ESCALATOR_AIRFLOW_URL": "http://127.0.0.1:21250",
        "ESCALATOR_AIRFLOW_PASSWORD_FILE": str(stack.settings.password_file),
        "ESCALATOR_LEDGER_URL": LEDGER,
        "ESCALATOR_LAB_INSTANCE": "2",
        "ESCALATOR_STACK_INSTANCE": "2",
        "OS_CLIENT_CONFIG_FILE": str(world.clouds_yaml),
        "OS_CLOUD": "lab",
    }
    assert {name: found.get(name) for name in wanted} == wanted
    assert found["PATH"].endswith(":/usr/bin:/bin")


def test_what_is_told_on_the_terminal_has_no_secret(world: DemoWorld, stack: AirflowStack) -> None:
    told = "\n".join(list_ways_in(world, stack))
    assert "http://127.0.0.1:21250/escalator/board" in told
    assert f". '{world.folder}/environment'" in told
    assert "den@" not in told


def test_demonstrations_side_by_side_have_folders_of_their_own() -> None:
    assert [str(choose_folder(instance)) for instance in (0, 2)] == ["build/demo", "build/demo-2"]
