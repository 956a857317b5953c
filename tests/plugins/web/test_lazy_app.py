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
((app,), _) = plugins_manager.get_fastapi_plugins()
assert app["url_prefix"] == "/vim", app
heavy = ("escalator_airflow.web.", "fastapi", "openstack", "keystoneauth1", "escalator.ledger")
print(sorted(name for name in set(sys.modules) - before if name.startswith(heavy)))
"""


def test_loading_the_plugin_imports_nothing_that_only_the_app_needs(airflow_home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        env={**os.environ, "AIRFLOW_HOME": str(airflow_home), "PYTHONPATH": f"{ROOT}/include"}
        | {"AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "['escalator_airflow.web.lazy_app']"


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
