"""A run that a person marks while a node is out, through Airflow without a scheduler: it ends red."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.dags.campaign_run import let_the_dag_work_on, read_states
from tests.plugins.airflow_home import NOW, own_home
from tests.steps.fake_records import KilledError
from tests.steps.worlds import NODE, QuickLedger, World

from escalator.inventory.inventory_file import write_inventory
from escalator.ledger.records import Document
from escalator.model.campaign import NodeState
from escalator.model.inventory import Inventory, InventoryNode
from escalator.model.lease import LeaseMark
from escalator.model.procedure import UPGRADE

pytestmark = pytest.mark.airflow
DOMAIN = "cell1/az1/general"
DAG_ID = "upgrade__lab__cell1-az1-general"


@pytest.fixture
def world(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A small cloud with a server on every node."""
    assert database == own_home()
    world = World(ledger=QuickLedger.at(tmp_path / "ledger.db"), opened=False)
    for host in world.hosts:
        world.boot(f"web-of-{host}", host)
    nodes = tuple(InventoryNode(host=h, domain=DOMAIN, address=h) for h in world.hosts)
    inventory = Inventory(cloud="lab", taken_at=datetime.fromisoformat(NOW), nodes=nodes)
    write_inventory(tmp_path / "lab.json", inventory)
    let_the_dag_work_on(world, tmp_path, monkeypatch)
    yield world
    world.cloud.before = None


@dataclass
class Person:
    """Marks the run when a call is made to the cloud; the task that makes it is killed, as its worker would.

    :ivar out: hosts that were out at that moment.
    """

    world: World
    dag: Any
    call: str
    state: str
    run_one: Callable[..., Any]
    out: list[str] = field(default_factory=list)
    acts: bool = False

    def watch(self, method: str) -> None:
        """Kill the task that makes the call, the first time."""
        if method == self.call and not self.acts and not self.out:
            self.out.extend(host for host in self.world.hosts if not self.world.enabled(host))
            self.acts = True
            raise KilledError

    def run_task(self, *, ti: Any, task: Any, **options: Any) -> Any:
        """Run a task; what a killed one said of its end is not heard."""
        done = self.run_one(ti=ti, task=task, **options)
        if self.acts:
            self.acts, self.call = False, ""
            ti.set_state("running")
            self._mark()
        return done

    def _mark(self) -> None:
        """Mark the run as the API server does."""
        from airflow.api.common import mark_tasks
        from airflow.models.dagrun import DagRun
        from airflow.serialization.serialized_objects import DagSerialization
        from airflow.utils.session import create_session

        act = getattr(mark_tasks, f"set_dag_run_state_to_{self.state}")
        newest = select(DagRun.run_id).where(DagRun.dag_id == DAG_ID).order_by(DagRun.id.desc()).limit(1)
        serialized = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(self.dag))
        with create_session() as session:
            act(dag=serialized, run_id=session.scalar(newest), commit=True, session=session)


def run(world: World, monkeypatch: pytest.MonkeyPatch, call: str, state: str) -> tuple[Any, Person]:
    """Run the campaign; a person marks it when a call is made to the cloud."""
    from airflow.sdk.definitions import dag as sdk_dag

    from escalator_airflow.generate import build_campaign_dags

    (dag,) = build_campaign_dags(UPGRADE)
    person = Person(world=world, dag=dag, call=call, state=state, run_one=sdk_dag._run_task)
    world.cloud.before = person.watch
    monkeypatch.setattr(sdk_dag, "_run_task", person.run_task)
    return dag.test(run_conf={"bundle": "nova-34", "hosts": [NODE]}), person


@pytest.mark.parametrize(
    ("state", "who"),
    [("failed", "the run was marked failed"), ("success", "the run or its task was marked success")],
)
def test_a_run_that_is_marked_while_servers_move_is_red_with_its_report_and_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch, state: str, who: str
) -> None:
    ended, person = run(world, monkeypatch, "start_live_migration", state)
    states = read_states(ended)
    assert str(ended.state) == "failed"
    assert states["conclude"] == "failed"
    assert person.out == [NODE]
    why = f"{who} while migrate was going on"
    lease = world.service(NODE).lease
    assert lease is not None
    assert (lease.mark, lease.words) == (LeaseMark.HELD, f"[cut_off] {why}")
    assert not world.enabled(NODE)
    recorded = world.ledger.run(DAG_ID, ended.run_id)
    assert (recorded.progress(NODE).state, recorded.progress(NODE).message) == (NodeState.HELD, why)
    report = recorded.document(Document.REPORT)
    assert report["outcome"] == "incomplete"
    assert why in str([f["message"] for f in report["findings"] if f["subject"]["id"] == NODE])


def test_a_run_that_is_marked_before_it_began_is_red(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, _ = run(world, monkeypatch, "fetch_snapshot", "failed")
    states = read_states(ended)
    assert str(ended.state) == "failed"
    assert (states["check_conditions"], states["prepare"], states["conclude"]) == (
        "failed",
        "skipped",
        "failed",
    )
    assert all(world.enabled(host) for host in world.hosts)


def test_airflow_says_which_run_a_lease_is_of_that_nobody_ends(world: World) -> None:
    from escalator_airflow.generate import build_campaign_dags

    world.plan = replace(world.plan, installation=world.ledger.installation())
    world.open(world.plan)
    world.take("node-03")
    (dag,) = build_campaign_dags(UPGRADE)
    ended = dag.test(run_conf={"bundle": "nova-34", "hosts": [NODE], "dry_run": True})
    check = world.ledger.run(DAG_ID, ended.run_id).document(Document.CHECK)
    (found,) = (c for c in check["conditions"] if c["code"] == "lease_orphaned")
    assert found["subject"]["id"] == "node-03"
    assert f"its run {world.plan.run_id} is deleted" in found["message"]
