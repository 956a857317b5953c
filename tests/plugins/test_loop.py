"""No trigger holds the triggerer's event loop: all that waits, of all campaigns, shares it."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.builders import NOW, make_plan

from escalator.ledger.ledger import Ledger
from escalator.model.campaign import NodeState

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).resolve().parents[2]
HOST = "general-001"
PLAN = make_plan(HOST, run_id="loop", domain="d", bundle="b", cloud="lab")
BUNDLE = {
    "schema": "escalator.bundle/1",
    "name": "b",
    "components": [{"name": "nova-compute", "to": "34.0.0"}],
    "mechanism": {"type": "none"},
}
ARGUMENTS: Mapping[str, dict[str, Any]] = {
    "escalator_airflow.triggers.admission.AdmissionTrigger": {"host": HOST},
    "escalator_airflow.triggers.answers.AnswerTrigger": {"host": HOST},
    "escalator_airflow.triggers.probing.ProbeTrigger": {"tasks": ["node-01.release"]},
}
CLOUD = {
    "conn_type": "openstack",
    "host": "http://127.0.0.1:9/v3",
    "login": "admin",
    "password": "word",
    "schema": "admin",
    "extra": {"project_name": "admin", "OS_PROJECT_DOMAIN_NAME": "Default", "OS_USER_DOMAIN_NAME": "Default"},
}


def watch_all() -> list[dict[str, Any]]:
    """Run all triggers where their cloud is a port at which nobody listens; return what was seen of each."""
    environment = {
        "PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT / 'include'}",
        "PATH": os.environ["PATH"],
        "AIRFLOW_CONN_THE_CLOUD": json.dumps(CLOUD),
        "AIRFLOW_CONN_THE_NODES": "ssh://root@",
        **{name: value for name, value in os.environ.items() if name.startswith(("AIRFLOW_", "ESCALATOR_"))},
    }
    script = Path(__file__).with_name("loop_watch.py")
    words = [sys.executable, str(script), json.dumps(ARGUMENTS), PLAN.campaign, PLAN.run_id]
    done = subprocess.run(words, env=environment, text=True, capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def list_triggers() -> set[str]:
    """Return the paths of all triggers that the plugin has."""
    from airflow.triggers.base import BaseTrigger

    import escalator_airflow.triggers as folder

    modules = [
        import_module(f"{folder.__name__}.{found.name}") for found in pkgutil.iter_modules(folder.__path__)
    ]
    return {
        f"{kind.__module__}.{kind.__qualname__}"
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, BaseTrigger) and kind.__module__ == module.__name__
    }


@pytest.mark.timeout(900)
def test_the_loop_goes_on_while_triggers_import_and_connect(folders: Path, ledger_url: str) -> None:
    assert folders
    assert list_triggers() == set(ARGUMENTS)
    run = Ledger(ledger_url).run(PLAN.campaign, PLAN.run_id)
    run.open(PLAN, dag_id=PLAN.campaign, bundle_document=BUNDLE, snapshot_before={}, now=NOW)
    run.set_progress(HOST, NodeState.ADMITTED, now=NOW)
    seen = watch_all()
    assert [each["path"] for each in seen] == list(ARGUMENTS)
    for each in seen:
        assert not each["held"], each["path"]
        assert {"import of escalator.ledger.ledger", "sqlite3.connect"} <= set(each["beside"]), each
        assert each["ended"] in {"socket.connect", f"[{{'host': '{HOST}'}}]"}, each["path"]
