from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import ROOT

pytestmark = pytest.mark.airflow

SCRIPT = """
import sys
import escalator_plugin
from escalator_airflow import start_line

class Job: ...

start_line.on_starting(Job())
print(*[name for name in sys.modules if name.partition(".")[0] == "escalator"])
"""


class Job: ...


@pytest.fixture
def lines(
    airflow_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> pytest.LogCaptureFixture:
    assert airflow_home
    import airflow.configuration

    assert airflow.configuration.conf
    for name in [name for name in os.environ if name.startswith("ESCALATOR_")]:
        monkeypatch.delenv(name)
    caplog.set_level(logging.INFO, "escalator_airflow.start_line")
    return caplog


def test_a_job_says_what_it_uses_and_no_password(
    lines: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from escalator_airflow import start_line

    monkeypatch.setenv("ESCALATOR_SHARED", "Airflow's database is postgresql")
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", "postgresql://escalator:pa:s@word@db/escalator?password=x")
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", "/srv/inventory")
    start_line.on_starting(Job())
    (line,) = lines.messages
    assert "ESCALATOR_LEDGER_URL=postgresql://escalator:***@db/escalator?…;" in line
    assert "ESCALATOR_INVENTORY_DIR=/srv/inventory" in line
    assert "ESCALATOR_BUNDLE_DIR not set" in line
    assert line.endswith("Airflow's database is postgresql")
    assert str(ROOT / "include" / "escalator") in line


def test_what_is_no_job_says_nothing(lines: pytest.LogCaptureFixture) -> None:
    from escalator_airflow import start_line

    start_line.on_starting(object())
    assert lines.messages == []


def test_several_components_without_what_they_share_are_told(
    lines: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from escalator_airflow import start_line

    monkeypatch.setenv("ESCALATOR_SHARED", "Airflow's database is postgresql")
    start_line.on_starting(Job())
    assert "ESCALATOR_LEDGER_URL and ESCALATOR_INVENTORY_DIR not set" in lines.messages[1]
    assert lines.records[1].levelno == logging.ERROR


def test_the_line_and_the_refusal_know_the_same_names() -> None:
    from escalator.settings import sharing
    from escalator_airflow import start_line
    from escalator_airflow.sharing import SHARED_VARIABLE

    assert start_line.MUST_AGREE == sharing.MUST_AGREE
    assert SHARED_VARIABLE == sharing.SHARED_VARIABLE


def test_the_scheduler_imports_nothing_of_ours_that_tasks_would_inherit(airflow_home: Path) -> None:
    paths = {"PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT / 'include'}", "AIRFLOW_HOME": str(airflow_home)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=paths, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == ""
