from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import ROOT

from escalator.cli import main
from escalator.doctor import cli
from escalator.doctor.airflow_look import AirflowFacts, ask_airflow, judge_airflow, list_refused_files
from escalator.doctor.findings import Finding, Health
from escalator.ledger.ledger import Ledger

INVENTORY = {
    "schema": "escalator.inventory/1",
    "cloud": "lab",
    "taken_at": "2026-11-22T08:00:00+00:00",
    "nodes": [],
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Everything is well: a ledger, an inventory, a bundle."""
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "lab.json").write_text(json.dumps(INVENTORY))
    (tmp_path / "bundles").mkdir()
    shutil.copy(ROOT / "include" / "bundles" / "nova-34.yaml", tmp_path / "bundles")
    url = f"sqlite:///{tmp_path}/ledger.db"
    Ledger.create_or_upgrade(url)
    return {
        "ESCALATOR_LEDGER_URL": url,
        "ESCALATOR_INVENTORY_DIR": str(tmp_path / "inventory"),
        "ESCALATOR_BUNDLE_DIR": str(tmp_path / "bundles"),
        "ESCALATOR_REPORT_DIR": str(tmp_path / "reports"),
    }


def findings(environment: dict[str, str]) -> dict[str, Finding]:
    return {found.about: found for found in cli.judge_environment(environment, with_airflow=False)}


def test_what_is_well_says_what_is_used_and_which_variable_says_so(environment: dict[str, str]) -> None:
    found = findings(environment)
    assert {finding.health for finding in found.values()} == {Health.WELL}
    assert "schema" in found["ledger"].found
    assert found["ledger"].source == "ESCALATOR_LEDGER_URL"
    assert found["inventory folder"].found.endswith("inventory: lab")
    assert found["bundle folder"].found.endswith("bundles: nova-34")
    assert found["VNF files"].source == "default"


def test_a_password_is_not_shown(environment: dict[str, str]) -> None:
    environment["ESCALATOR_LEDGER_URL"] = "postgresql://escalator:hidden-word@192.0.2.1:1/x?connect_timeout=1"
    found = findings(environment)
    assert found["ledger"].health is Health.FAULT
    assert "hidden-word" not in repr(found)


def test_the_store_of_backups_is_named_and_a_folder_is_looked_at(
    environment: dict[str, str], tmp_path: Path
) -> None:
    assert "no store is set" in findings(environment)["backups"].found
    for url, health in (
        (str(tmp_path), Health.WELL),
        (str(tmp_path / "not-there"), Health.WARNING),
        ("sftp://me:hidden-word@host/path", Health.WELL),
    ):
        found = findings({**environment, "ESCALATOR_BACKUP_URL": url})["backups"]
        assert (found.health, found.source) == (health, "ESCALATOR_BACKUP_URL")
        assert "hidden-word" not in repr(found)


def test_components_that_would_not_agree_are_a_fault(environment: dict[str, str]) -> None:
    alone = {"ESCALATOR_SHARED": "Airflow's executor is CeleryExecutor"}
    found = findings(alone)
    for about, name in (("ledger", "ESCALATOR_LEDGER_URL"), ("inventory folder", "ESCALATOR_INVENTORY_DIR")):
        assert found[about].health is Health.FAULT
        assert name in found[about].found
    assert findings(environment | alone)["ledger"].health is Health.WELL


def test_every_file_that_cannot_be_read_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "inventory" / "broken.json").write_text("{")
    (tmp_path / "inventory" / "windows.yaml").write_text("schema: escalator.windows/1\nwindows: 7\n")
    (tmp_path / "inventory" / "vnfms.yaml").write_text("vnfms: {}\n")
    (tmp_path / "inventory" / "lab.settings.yaml").write_text("cells: 7\n")
    (tmp_path / "bundles" / "bad.yaml").write_text("name: bad\n")
    faults = {about for about, found in findings(environment).items() if found.health is Health.FAULT}
    assert faults == {
        "inventory broken",
        "inventory settings lab",
        "windows.yaml",
        "vnfms.yaml",
        "bundle bad",
    }


def test_names_that_would_share_a_dag_and_a_file_of_another_cloud_are_faults(
    environment: dict[str, str], tmp_path: Path
) -> None:
    nodes = [
        {"host": host, "domain": domain, "address": "192.0.2.1"}
        for host, domain in (("a", "az1-x/y"), ("b", "az1/x-y"))
    ]
    (tmp_path / "inventory" / "lab.json").write_text(json.dumps({**INVENTORY, "nodes": nodes}))
    (tmp_path / "inventory" / "else.json").write_text(json.dumps(INVENTORY))
    found = findings(environment)
    assert "'az1-x/y' of cloud 'lab' and domain 'az1/x-y' of cloud 'lab'" in found["DAGs"].found
    assert "is of cloud 'lab'" in found["inventory else"].found
    assert found["DAGs"].health is found["inventory else"].health is Health.FAULT


def test_a_bundle_folder_that_is_not_there_is_a_fault(environment: dict[str, str]) -> None:
    found = findings(environment | {"ESCALATOR_BUNDLE_DIR": "/nowhere"})["bundle folder"]
    assert (found.health, "/nowhere" in found.found) == (Health.FAULT, True)


def test_a_variable_that_nobody_reads_is_named_with_the_one_that_was_meant(
    environment: dict[str, str],
) -> None:
    found = findings(environment | {"ESCALATOR_INVENTORY": "/x", "ESCALATOR_LISTEN": "127.0.0.1:8080"})
    assert found["ESCALATOR_INVENTORY"].health is Health.WARNING
    assert "ESCALATOR_INVENTORY_DIR" in found["ESCALATOR_INVENTORY"].found
    assert "ESCALATOR_LISTEN" not in found


FACTS = AirflowFacts(
    version="3.3.2",
    executor="CeleryExecutor",
    plugins_folder="/plugins",
    plugins=("/plugins/escalator_plugin.py",),
    dag_folders=("/dags",),
    shared=None,
)


def test_airflow_without_the_plugin_is_a_fault() -> None:
    airflow, plugin, dags = judge_airflow(replace(FACTS, plugins=(), dag_folders=()))
    assert "plugin is not there to tell" in airflow.found
    assert (plugin.health, dags.health) == (Health.FAULT, Health.WARNING)
    assert [found.health for found in judge_airflow(FACTS)] == [Health.WELL] * 3


def test_what_is_there_twice_is_named_with_what_counts() -> None:
    twice = replace(FACTS, plugins=(*FACTS.plugins, "/site/escalator_plugin.py"), dag_folders=("/a", "/b"))
    _, plugin, dags = judge_airflow(twice)
    assert plugin.found == "/plugins/escalator_plugin.py, and not /site/escalator_plugin.py"
    assert (plugin.health, dags.health) == (Health.WARNING, Health.FAULT)
    assert "/a and /b" in dags.found
    assert plugin.remedy
    assert dags.remedy


def test_a_file_that_airflow_refuses_is_named_once() -> None:
    facts = replace(
        FACTS, faults={"windows.yaml": ("no such zone", "correct it"), "vnfms.yaml": ("lost", None)}
    )
    (found,) = list_refused_files(facts, {"inventory folder", "vnfms.yaml"})
    assert (found.about, found.found, found.remedy) == ("windows.yaml", "no such zone", "correct it")
    assert found.health is Health.FAULT


@pytest.mark.airflow
def test_airflow_is_asked_what_it_refuses_of_the_windows(environment: dict[str, str], tmp_path: Path) -> None:
    when = "cron: 0 22 * * 2, timezone: Europe/Warschau, minutes: 60"
    window = f"{{cloud: lab, domain: a, {when}, run: {{bundle: nova-34}}}}"
    text = f"schema: escalator.windows/1\nwindows:\n  - {window}\n"
    (tmp_path / "inventory" / "windows.yaml").write_text(text)
    facts = ask_airflow({**os.environ, **environment})
    assert isinstance(facts, AirflowFacts)
    (found,) = list_refused_files(facts, ())
    assert found.about == "windows.yaml"
    assert "Europe/Warschau" in found.found


def test_the_verb_ends_with_1_when_there_is_a_fault(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", "--no-airflow"]) == 0
    assert capsys.readouterr().out.startswith("well ")
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", "/nowhere")
    assert main(["doctor", "--no-airflow", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "escalator.doctor/1"
    (fault,) = [found for found in document["findings"] if found["health"] == "fault"]
    assert fault["remedy"]
