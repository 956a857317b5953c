"""The package as it is installed into an Airflow that is there: its command, its needs, what it brings."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from tests.conftest import ROOT
from tests.deployment.installed import BUNDLES, Environment, build_wheel
from tests.plugins.airflow_home import DOMAIN, variables, write_inventory

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
MANUAL = (ROOT / "docs" / "install.md").read_text()
MOST_COMMANDS = 10
FOLDERS = ("bundles", "playbooks", "schemas", "vnfs")


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[; ]", line, maxsplit=1)[0].lower().replace(".", "-") for line in requirements}


def required() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_command_is_part_of_the_package() -> None:
    assert PROJECT["project"]["scripts"] == {"escalator": "escalator.cli:main"}
    assert "pip install ." in MANUAL


def test_bundles_playbooks_schemas_and_vnf_files_come_along_where_the_package_looks_for_them() -> None:
    brought = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {path: where for path, where in brought.items() if path.startswith("include/")} == {
        f"include/{name}": f"escalator/{name}" for name in FOLDERS
    }
    assert all((ROOT / path).exists() for path in brought)


def test_requirements_and_package_need_the_same() -> None:
    assert sorted(required()) == sorted(PROJECT["project"]["dependencies"])


def test_nothing_of_an_existing_airflow_is_held_back() -> None:
    """Its own release's constraints choose the versions; an unofficial provider is the operator's choice."""
    pinned = [line for line in required() if re.search(r"[<>=!~]", line)]
    assert pinned == ["apache-airflow>=3.3,<3.4"]
    assert not any(line.startswith("-") for line in required())
    assert "apache-airflow-providers-openstack" not in names(required())
    assert PROJECT["project"]["optional-dependencies"] == {
        "connection-form": ["apache-airflow-providers-openstack"],
        "ansible": ["ansible-core", "ansible-runner"],
    }
    assert not any("ansible" in name for name in names(required()))
    assert "constraints-" in MANUAL


def test_what_is_locked_is_what_is_needed() -> None:
    locked = names((ROOT / "requirements.lock").read_text().splitlines())
    assert names(required()) <= locked
    assert "apache-airflow-providers-amazon" not in locked


def test_the_whole_way_takes_at_most_ten_commands() -> None:
    block = (
        MANUAL.partition("## Into an Airflow that is there")[2].partition("```sh\n")[2].partition("```")[0]
    )
    text = re.sub(r"\\\n", " ", re.sub(r"(<<'END'\n).*?^END\n", r"\1", block, flags=re.DOTALL | re.MULTILINE))
    commands = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert 0 < len(commands) <= MOST_COMMANDS
    assert sum("airflow connections add" in command for command in commands) == 2
    named = re.search(r"^AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST='(.*)'$", block, re.MULTILINE)
    assert named
    assert json.loads(named[1]) == BUNDLES
    for needed in ("user_domain_name", "project_name", "key_file", "known_hosts", "escalator doctor"):
        assert needed in block, needed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_is_built_and_has_everything(wheel: Path) -> None:
    with ZipFile(wheel) as opened:
        found = set(opened.namelist())
        (entry,) = [name for name in found if name.endswith("entry_points.txt")]
        assert "escalator = escalator.cli:main" in opened.read(entry).decode()
    assert {"escalator/bundles/nova-34.yaml", "escalator/vnfs/README.md", "escalator/cli.py"} <= found
    assert "escalator/ledger/migrations/script.py.mako" in found
    assert {"escalator/schemas/bundle.schema.json", "escalator/schemas.py"} <= found
    assert "escalator/reports/templates/report.html.j2" in found
    files = {
        str(path.relative_to(ROOT / "plugins")) for path in (ROOT / "plugins").rglob("*") if path.is_file()
    }
    assert {name for name in files if "__pycache__" not in name} - found == {".airflowignore"}
    assert {f"escalator_airflow/dags/{path.name}" for path in (ROOT / "dags").glob("*.py")} <= found


def test_a_checkout_that_is_installed_shows_plugin_and_package(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["editable"])
    with ZipFile(built) as opened:
        (path,) = [name for name in opened.namelist() if name.endswith(".pth")]
        assert opened.read(path).decode().split() == [str(ROOT / "include"), str(ROOT / "plugins")]


class Installed:
    """The wheel in an environment of its own, and an Airflow home."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.home, made = folder / "airflow", Environment(folder)
        made.install(wheel)
        self.venv, self.site = made.folder, made.site
        (folder / "inventory").mkdir()
        write_inventory(folder / "inventory", "lab", {DOMAIN: 3})
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "ESCALATOR_INVENTORY_DIR": str(folder / "inventory"),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES),
            **variables(self.home),
        }

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [str(self.venv / "bin" / command[0]), *command[1:]],
            env=self.environment,
            cwd=self.venv,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def look(self) -> dict[str, Any]:
        """Return what its Airflow has of Escalator."""
        said: dict[str, Any] = json.loads(self.run("python", "-c", LOOK).splitlines()[-1])
        return said


LOOK = """
import json
from airflow import plugins_manager
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag
import escalator, escalator_airflow
plugins, faults = plugins_manager._get_plugins()
bag = DagBag(dag_folder=DagBundlesManager().get_bundle("escalator").path, known_pools={"escalator_admission"})
print(json.dumps({
    "code": [escalator.__file__, escalator_airflow.__file__],
    "plugins": [str(plugin.source) for plugin in plugins if plugin.name == "escalator"],
    "timetables": [name for name in plugins_manager.get_timetables_plugins() if "escalator" in name],
    "faults": [*map(str, faults.values())],
    "dags": sorted(bag.dags),
    "import_errors": bag.import_errors,
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


@pytest.mark.airflow
def test_an_airflow_with_the_wheel_has_plugin_and_dags(installed: Installed) -> None:
    assert installed.run("escalator", "--version") == f"escalator {PROJECT['project']['version']}\n"
    found = installed.look()
    assert all(Path(file).is_relative_to(installed.site) for file in found["code"])
    assert (len(found["plugins"]), found["faults"], found["import_errors"]) == (1, [], {})
    assert found["timetables"] == ["escalator_airflow.timetables.maintenance_window.MaintenanceWindow"]
    campaigns = [f"{verb}__lab__cell1-az1-general" for verb in ("restore", "rollback", "upgrade")]
    assert found["dags"] == sorted(["check__lab", "inventory", "reconcile__lab", *campaigns])


@pytest.mark.airflow
def test_copies_beside_the_wheel_register_nothing_twice_and_are_told(installed: Installed) -> None:
    shutil.copytree(ROOT / "plugins", installed.home / "plugins")
    shutil.copytree(ROOT / "dags", installed.home / "dags" / "escalator")
    found = installed.look()
    (source,) = found["plugins"]
    assert str(installed.home / "plugins") in source or "escalator_plugin.py" in source
    assert found["faults"] == []
    ((file, told),) = found["import_errors"].items()
    assert Path(file).name == "campaigns.py"
    assert f"{installed.home / 'dags' / 'escalator'} and " in told
    document = json.loads(installed.run("python", "-c", DOCTOR))
    health = {finding["about"]: finding["health"] for finding in document["findings"]}
    assert (health["plugin"], health["DAG files"]) == ("warning", "fault")


DOCTOR = "import sys; from escalator.cli import main; main(['doctor', '--json']); sys.exit(0)"
