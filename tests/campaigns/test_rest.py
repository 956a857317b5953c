"""What the documents tell an operator to type works as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from escalator.demo.demo_world import CLOUD
from escalator.inventory.inventory_file import read_inventory
from tests.campaigns.harness import Harness
from tests.conftest import ROOT

pytestmark = [pytest.mark.lab, pytest.mark.stack]


def _token(harness: Harness) -> str:
    command = [
        *("curl", "-sf", "-X", "POST", f"{harness.stack.settings.url}/auth/token"),
        *("-H", "Content-Type: application/json", "--data", "@-"),
    ]
    login = {"username": "admin", "password": harness.stack.settings.password_file.read_text().strip()}
    done = subprocess.run(command, input=json.dumps(login), capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["access_token"])


def test_the_readmes_curl_starts_a_dry_run(harness: Harness) -> None:
    harness.lab.reset()
    command = re.search(r"^curl -X POST .*?^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert command is not None
    environment = {**os.environ, "AIRFLOW": harness.stack.settings.url, "TOKEN": _token(harness)}
    script = command.group().removesuffix("```").replace("curl ", "curl -sS --fail-with-body ", 1)
    assert "__prod__" in script
    script = script.replace("__prod__", f"__{CLOUD}__")
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    started = json.loads(done.stdout)
    run = harness.client.get_run(started["dag_id"], started["dag_run_id"])
    assert harness.wait(run) == "success", harness.states(run)
    assert harness.report(run)["request"]["hosts"] == ["node-01"]


def test_the_inventory_dag_writes_what_the_dags_are_made_from(harness: Harness) -> None:
    path = harness.world.inventory_dir / "lab.json"
    before = read_inventory(path)
    run = harness.client.trigger(
        "inventory", {"cloud": "lab", "cloud_conn_id": "lab", "ssh_conn_id": "lab_ssh"}
    )
    ended = harness.client.wait("inventory", run.run_id, timeout_seconds=600)
    after = read_inventory(path)
    assert str(ended.state) == "success"
    assert after.nodes == before.nodes
    assert after.taken_at > before.taken_at
