"""The package as it is installed into an Airflow that is there: its command, its needs, what it brings."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from tests.conftest import ROOT

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
    assert brought == {f"include/{name}": f"escalator/{name}" for name in FOLDERS}
    assert all((ROOT / folder).is_dir() for folder in brought)


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
    text = re.sub(r"\\\n", " ", block)
    commands = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert 0 < len(commands) <= MOST_COMMANDS
    assert sum("airflow connections add" in command for command in commands) == 2
    for needed in ("user_domain_name", "project_name", "key_file", "known_hosts", "escalator doctor"):
        assert needed in block, needed


def test_the_wheel_is_built_and_has_everything(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with ZipFile(built) as wheel:
        found = set(wheel.namelist())
        (entry,) = [name for name in found if name.endswith("entry_points.txt")]
        assert "escalator = escalator.cli:main" in wheel.read(entry).decode()
    assert {"escalator/bundles/nova-34.yaml", "escalator/vnfs/README.md", "escalator/cli.py"} <= found
    assert "escalator/ledger/migrations/script.py.mako" in found
    assert {"escalator/schemas/bundle.schema.json", "escalator/schemas.py"} <= found
    assert "escalator/reports/templates/report.html.j2" in found
