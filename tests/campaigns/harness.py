"""Campaigns on the real thing: trigger, watch Nova from outside, wait, look at what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from escalator.airflow_client.client import AirflowClient
from escalator.airflow_client.follow import wait_for_dag
from escalator.airflow_client.records import DagRun
from escalator.airflow_stack.settings import find_home
from escalator.airflow_stack.stack import AirflowStack
from escalator.cloud_manager.cloud import Cloud
from escalator.demo.demo_world import CLOUD, DemoWorld, offer_bundles
from escalator.inventory.inventory_file import read_inventory
from escalator.lab.lab import Lab
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress
from escalator.lab.servers import ServerSpec, standard_set
from escalator.model.cloud import MigrationStatus, ServiceState, ServiceStatus
from escalator.model.errors import EscalatorError
from escalator.model.naming import make_dag_id
from tests.conftest import ROOT

DAG_ID = make_dag_id("upgrade", CLOUD, "cell1/az1/general")
NEW, OLD = "34.0.0", "33.0.2"
RUN_SECONDS = 1500.0
UNHURRIED = {
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "900",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "400",
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
}
"""The DAGs do not change while the tests run: they are read when Airflow starts, however long that takes.

A file that took too long once would have no DAGs until it is read again.
"""
WATCHER = "watcher"
PERSONS = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"admin:admin,{WATCHER}:viewer"}
"""Who may log in to Airflow: one who may do everything, one who may look."""
REBOOT = "reboot-only"
REBOOT_BUNDLE = f"""\
schema: escalator.bundle/1
name: {REBOOT}
components: [{{name: nova-compute, to: "{OLD}"}}]
mechanism: {{type: none}}
impact: reboot
reboot: always
reboot_limit_seconds: 600
expected: {{upgrade_seconds: 5, reboot_seconds: 30}}
"""
"""A bundle that reboots nodes and leaves the release that they run."""
SERVICE_VERSIONS = {72: OLD, 74: NEW}
"""Version numbers of Nova's service objects."""


@dataclass
class OutSampler:
    """Asks Nova all the time which nodes are disabled or down, whatever our own records say.

    ``together`` are all the sets of nodes that were seen out at the same moment.
    """

    cloud: Cloud
    ignore: frozenset[str] = frozenset()
    most: int = 0
    samples: int = 0
    seen: set[str] = field(default_factory=set)
    together: set[frozenset[str]] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def sample(self) -> None:
        """Look once."""
        services = self.cloud.fetch_services()
        out = {s.host for s in services if s.status is ServiceStatus.DISABLED or s.state is ServiceState.DOWN}
        out -= self.ignore
        self.together.add(frozenset(out))
        self.most = max(self.most, len(out))
        self.seen |= out
        self.samples += 1

    @contextmanager
    def watching(self) -> Iterator[OutSampler]:
        """Look every 0.6 s until the block ends."""

        def look() -> None:
            due = time.monotonic()
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due += 0.6
                self.sample()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()


@dataclass(frozen=True)
class Harness:
    """The lab, Airflow and one DAG."""

    world: DemoWorld
    stack: AirflowStack
    client: AirflowClient
    dag_id: str = DAG_ID

    @property
    def lab(self) -> Lab:
        return self.world.lab

    def fresh(self, servers: Sequence[ServerSpec] | int) -> dict[str, Any]:
        """Bring nodes and servers back to the beginning; return the servers by name.

        :param servers: what is to be there, or how many of the standard set.
        """
        self.lab.reset()
        specs = standard_set(self.lab.settings.hosts, servers) if isinstance(servers, int) else servers
        self.lab.restore_servers(specs)
        return self.servers()

    def trigger(self, **conf: Any) -> DagRun:
        return self.client.trigger(self.dag_id, {"bundle": "nova-34", **conf})

    def wait(self, run: DagRun, timeout_seconds: float = RUN_SECONDS) -> str:
        """Wait for the end of a run; return its state."""
        return str(self.client.wait(self.dag_id, run.run_id, timeout_seconds=timeout_seconds).state)

    def states(self, run: DagRun) -> dict[str, str | None]:
        """Return task id -> state."""
        return {
            t.task_id: t.state and str(t.state) for t in self.client.task_instances(self.dag_id, run.run_id)
        }

    def wait_for(self, run: DagRun, task_id: str, *states: str, timeout_seconds: float = 900.0) -> str:
        """Wait until a task is in one of the states."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            state = str(self.states(run).get(task_id))
            if state in states:
                return state
            if time.monotonic() > deadline:
                raise AssertionError(f"{task_id} is {state}, not {states}; all: {self.states(run)}")
            time.sleep(1.0)

    def order(self, run: DagRun) -> list[str]:
        """Wait for the plan and return its hosts in order."""
        self.wait_for(run, "check_conditions", "success")
        value = self.client.xcom(self.dag_id, run.run_id, "check_conditions")
        assert isinstance(value, Mapping)
        return list(value["hosts"])

    def log(self, run: DagRun, task_id: str) -> str:
        """Return the log of the last try of a task."""
        tries = self.client.get_task_instance(self.dag_id, run.run_id, task_id).try_number
        return self.client.task_log(self.dag_id, run.run_id, task_id, try_number=max(1, tries))

    def clear(self, run: DagRun, task_id: str) -> None:
        """Clear one task with downstream, as an operator does."""
        self.client.clear_tasks(self.dag_id, run.run_id, [task_id])

    def let_arrive(self, host: str) -> None:
        """Let what is on its way from a node arrive now, and what follows go as ever: its faults are over."""
        self.lab.node(host).clear_faults()
        cloud = self.world.cloud()

        def has_left() -> bool:
            moving = {s.id for s in cloud.fetch_servers(host) if s.task_state == "migrating"}
            for migration in cloud.fetch_migrations(host=host) if moving else ():
                if migration.server_id in moving and migration.status is MigrationStatus.RUNNING:
                    with suppress(EscalatorError):  # it has just ended
                        cloud.force_complete(migration.server_id, migration.id)
            return not moving

        assert wait_until(has_left, timeout_seconds=300, poll_seconds=1.0), self.servers()

    def report(self, run: DagRun) -> dict[str, Any]:
        """Read the report of a run."""
        from escalator.steps.campaign.conclude import make_folder_name

        path = self.world.report_dir / make_folder_name(self.dag_id, run.run_id) / "report.json"
        document: dict[str, Any] = json.loads(path.read_text())
        return document

    def type_leases(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type ``escalator leases ...`` as on a machine that knows the cloud, too."""
        return self.type("leases", "--cloud", CLOUD, "--clouds-yaml", str(self.world.clouds_yaml), *words)

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type ``escalator ...`` as on a machine that knows the bundles, the ledger and Airflow."""
        settings = self.stack.settings
        environment = {
            **os.environ,
            **self.world.variables,
            "PYTHONPATH": str(ROOT / "include"),
            "ESCALATOR_LEDGER_URL": self.stack.database_url("escalator"),
            "ESCALATOR_AIRFLOW_URL": settings.url,
            "ESCALATOR_AIRFLOW_PASSWORD_FILE": str(settings.password_file),
        }
        command = [sys.executable, "-m", "escalator.cli", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def servers(self) -> dict[str, Any]:
        """Return the servers by name, as Nova has them."""
        return {s["name"]: s for s in self.lab.servers.fetch()}

    def services(self) -> dict[str, Any]:
        """Return the nova-compute services by host."""
        return {s.host: s for s in self.world.cloud().fetch_services()}

    def running(self, host: str) -> str:
        """Return the release that nova-compute itself told Nova: the service's version in Nova's database."""
        return SERVICE_VERSIONS[self.lab.release_versions()[host]]


@contextmanager
def airflow_beside(
    lab: Lab,
    instance: int,
    folder: Path,
    *,
    more: Mapping[str, str] | None = None,
    told: Mapping[str, str] | None = None,
) -> Iterator[Harness]:
    """Start an Airflow that knows a lab, on an empty database; end it.

    :param more: bundles beside those of the checkout, by the name of their file.
    :param told: variables of the environment that its processes get.
    """
    bundles = folder / "bundles"
    unreadable = {"unreadable.yaml": "schema: escalator.bundle/1\nname: ["}
    offer_bundles(bundles, {**unreadable, f"{REBOOT}.yaml": REBOOT_BUNDLE, **(more or {})})
    world = DemoWorld(
        lab=lab,
        folder=folder,
        stack_home=find_home(os.environ),
        instance=instance,
        checkout=ROOT,
        bundle_dir=bundles,
        heartbeat_timeout_seconds=10,
    )
    world.write_inventory()
    settings = world.stack(Progress()).settings
    stack = AirflowStack(
        replace(settings, extra_env={**settings.extra_env, **UNHURRIED, **PERSONS, **(told or {})})
    )
    stack.down(wipe=True)
    try:
        stack.up()
        world.connect_airflow(stack)
        with stack.client() as client:
            for domain in read_inventory(world.inventory_dir / f"{CLOUD}.json").domains():
                wait_for_dag(client, make_dag_id("upgrade", CLOUD, domain), timeout_seconds=300)
            yield Harness(world=world, stack=stack, client=client)
    finally:
        stack.down(wipe="ESCALATOR_KEEP" not in os.environ)


def state_of(server: Mapping[str, Any]) -> tuple[str, Any]:
    """Return what must not change: status and task."""
    return server["status"], server["OS-EXT-STS:task_state"]


def host_of(server: Mapping[str, Any]) -> str:
    """Return the node of a server."""
    return str(server["OS-EXT-SRV-ATTR:host"])
