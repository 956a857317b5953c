"""An Airflow beside a lab that gets Escalator by the lines of the manual, and all who listen to it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from escalator.airflow_client.client import AirflowClient
from escalator.airflow_client.follow import wait_for_dag
from escalator.airflow_client.records import Connection
from escalator.airflow_stack.credentials import ADMIN
from escalator.airflow_stack.settings import StackSettings, find_home
from escalator.airflow_stack.stack import AirflowStack
from escalator.demo.demo_world import CLOUD, CLOUD_CONNECTION, SSH_CONNECTION, DemoWorld
from escalator.events.lines import FILE_VARIABLE
from escalator.lab.lab import Lab
from escalator.lab.progress import Progress
from tests.campaigns.harness import DAG_ID, UNHURRIED, Harness
from tests.conftest import ROOT
from tests.deployment.installed import BUNDLES, Environment, build_wheel
from tests.plugins.receivers import (
    Mailed,
    Measured,
    Posted,
    Served,
    receive_mails,
    receive_metrics,
    receive_posts,
    serve,
)

INSTANCE = 7
"""Of the Airflow: that of the other campaigns may be there still."""
_OF_ALL = "[held, failed, needs_person, gap_over_limit, step_overdue, window_closed, done]"
NOTIFY = f"""\
schema: escalator.inventory-settings/1
notify:
  - {{when: {_OF_ALL}, via: webhook, conn_id: pager}}
  - {{when: {_OF_ALL}, via: smtp, conn_id: mail, to: [ops@example.org]}}
"""
NO_SECRECY = {"disable_ssl": True, "disable_tls": True}


@dataclass(frozen=True)
class Listeners:
    """All who are told."""

    posted: Posted
    mailed: Mailed
    measured: Measured
    service: Served
    events_file: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return what Airflow is told of them by its environment."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self.measured.port),
            FILE_VARIABLE: str(self.events_file),
        }

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Return where notes go."""
        extra = json.dumps({"from_email": "escalator@example.org", **NO_SECRECY})
        host = "127.0.0.1"
        return (
            Connection(connection_id="pager", conn_type="http", host=f"http://{host}:{self.posted.port}"),
            Connection(connection_id="mail", conn_type="smtp", host=host, port=self.mailed.port, extra=extra),
        )


@dataclass(frozen=True)
class Site:
    """An Airflow with the wheel, beside a lab.

    :ivar before: what it had before it got the wheel.
    """

    harness: Harness
    environment: Environment
    before: Mapping[str, Any]
    listeners: Listeners


def look(stack: AirflowStack) -> dict[str, Any]:
    """Return what an Airflow says over REST that it has of Escalator."""
    url, password = stack.settings.url, stack.settings.password_file.read_text().strip()
    with httpx.Client(base_url=url, timeout=60) as web:
        answer = web.post("/auth/token", json={"username": ADMIN, "password": password})
        web.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        return {
            "dags": {dag["dag_id"]: dag for dag in web.get("/api/v2/dags").json()["dags"]},
            "errors": web.get("/api/v2/importErrors").json()["import_errors"],
            "plugins": [
                plugin
                for plugin in web.get("/api/v2/plugins").json()["plugins"]
                if plugin["name"] == "escalator"
            ],
            "board": web.get("/escalator/board").text,  # what is nowhere is a page of Airflow's own
            "campaigns": web.get("/escalator/v1/campaigns").headers["content-type"],
        }


@contextmanager
def installed_beside(lab: Lab, folder: Path) -> Iterator[Site]:
    """Start an Airflow that has nothing of Escalator's, install the wheel into it, and start it again."""
    environment, wheel = Environment(folder), build_wheel(folder)
    home = find_home(os.environ)
    world = DemoWorld(
        lab=lab,
        folder=folder,
        stack_home=home,
        instance=INSTANCE,
        checkout=ROOT,
        heartbeat_timeout_seconds=10,
    )
    world.write_inventory()
    (world.inventory_dir / f"{CLOUD}.settings.yaml").write_text(NOTIFY)
    with ExitStack() as ends:
        listeners = Listeners(
            posted=ends.enter_context(receive_posts()),
            mailed=ends.enter_context(receive_mails()),
            measured=ends.enter_context(receive_metrics()),
            service=ends.enter_context(serve()),
            events_file=folder / "events.jsonl",
        )
        bare = _make_settings(world, environment, listeners)
        stack = AirflowStack(bare)
        stack.down(wipe=True)
        ends.callback(stack.down, wipe="ESCALATOR_KEEP" not in os.environ)
        stack.up()
        before = look(stack)
        stack.down()
        environment.install(wheel)
        line = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES)}
        stack = AirflowStack(replace(bare, extra_env={**bare.extra_env, **line}))
        stack.up()
        world.connect_airflow(stack)
        client = ends.enter_context(stack.client())
        for connection in listeners.connections:
            client.ensure_connection(connection)
        _refresh_inventory(client)
        harness = Harness(world=world, stack=stack, client=client)
        yield Site(harness=harness, environment=environment, before=before, listeners=listeners)


def _make_settings(world: DemoWorld, environment: Environment, listeners: Listeners) -> StackSettings:
    """Return an Airflow of an environment's packages alone, with empty folders of DAGs and plugins."""
    folders = {}
    for name in ("dags", "plugins"):
        (world.folder / name).mkdir()
        folders[f"AIRFLOW__CORE__{name.upper()}_FOLDER"] = str(world.folder / name)
    settings = world.stack(Progress()).settings
    more = {**UNHURRIED, "PYTHONPATH": "", **folders, **listeners.environment}
    return replace(settings, python=environment.python, extra_env={**settings.extra_env, **more})


def _refresh_inventory(client: AirflowClient) -> None:
    """Let the settings of the cloud come to its campaigns, as an operator does."""
    wait_for_dag(client, "inventory", timeout_seconds=90)
    conf = {"cloud": CLOUD, "cloud_conn_id": CLOUD_CONNECTION, "ssh_conn_id": SSH_CONNECTION}
    run = client.trigger("inventory", conf)
    assert str(client.wait("inventory", run.run_id, timeout_seconds=180).state) == "success"
    wait_for_dag(client, DAG_ID, timeout_seconds=90)
