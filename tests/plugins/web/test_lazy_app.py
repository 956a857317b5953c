from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).resolve().parents[3]
LOAD = """
import sys
from airflow import plugins_manager
before = set(sys.modules)
(apps, _) = plugins_manager.get_fastapi_plugins()
assert [app["url_prefix"] for app in apps] == ["/vim", "/escalator"], apps
ours = ("escalator_airflow.web.", "escalator_airflow.board", "escalator.board", "escalator.ledger")
heavy = (*ours, "fastapi", "openstack", "keystoneauth1")
print(sorted(name for name in set(sys.modules) - before if name.startswith(heavy)))
"""
SERVE = """
from airflow.utils.db import initdb
initdb()
from airflow.api_fastapi.app import create_app
from fastapi.testclient import TestClient
with TestClient(create_app(apps="core")) as client:
    paths = ["/vim/openapi.json", "/vim/lab/v1/maintenance", "/api/v2/version"]
    paths += ["/escalator/openapi.json", "/escalator/v1/campaigns"]
    found = [client.get(path).status_code for path in paths]
print(found)
"""


def test_loading_the_plugin_imports_nothing_that_only_the_app_needs(airflow_home: Path) -> None:
    assert run(LOAD, airflow_home)[-1] == "['escalator_airflow.web.lazy_app']"


def test_airflow_s_own_app_has_it(airflow_home: Path) -> None:
    assert run(SERVE, airflow_home)[-1] == "[200, 401, 200, 200, 401]"


def run(code: str, home: Path) -> list[str]:
    """Run code as a process of Airflow's does; return the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "AIRFLOW_HOME": str(home), "PYTHONPATH": f"{ROOT}/include"}
        | {"AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_the_first_request_makes_the_app_and_every_other_finds_it(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from escalator_airflow.web import application, lazy_app

    assert folders.is_dir()
    made: list[Any] = []
    create = application.create_app

    def count(means: Any) -> Any:
        made.append(create(means))
        return made[-1]

    monkeypatch.setattr(application, "create_app", count)
    outer = FastAPI()
    outer.mount(lazy_app.URL_PREFIX, lazy_app.LazyApp())
    with TestClient(outer) as client:
        assert made == []
        assert client.get("/vim/lab/v1/maintenance").status_code == 401
        assert client.get("/vim/openapi.json").status_code == 200
    assert len(made) == 1
