"""A campaign that starts the rollback of its failed node, and that one, through Airflow by itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.dags.campaign_run import let_the_dag_work_on, read_states
from tests.dags.conftest import ROOT
from tests.plugins.airflow_home import NOW, own_home
from tests.steps.worlds import BUNDLE, NEW, NODE, OLD, QuickLedger, World

from escalator.inventory.inventory_file import write_inventory
from escalator.ledger.records import Document
from escalator.model.bundle import Component
from escalator.model.campaign import NodeState, RunOf
from escalator.model.errors import NodeFaultError
from escalator.model.inventory import Inventory, InventoryNode
from escalator.model.procedure import ROLLBACK, UPGRADE

pytestmark = pytest.mark.airflow
DOMAIN = "cell1/az1/general"
UPGRADES, ROLLBACKS = (f"{verb}__lab__cell1-az1-general" for verb in ("upgrade", "rollback"))


@pytest.fixture
def world(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A small cloud, with the DAGs of its rollback beside those of its upgrade."""
    from escalator_airflow.operators import rollback

    assert database == own_home()
    bundle = replace(BUNDLE, rollback_supported=True)
    world = World(ledger=QuickLedger.at(tmp_path / "ledger.db"), opened=False, bundle=bundle)
    nodes = tuple(InventoryNode(host=h, domain=DOMAIN, address=h) for h in world.hosts)
    taken_at = datetime.fromisoformat(NOW)
    write_inventory(tmp_path / "lab.json", Inventory(cloud="lab", taken_at=taken_at, nodes=nodes))
    let_the_dag_work_on(world, tmp_path, monkeypatch)
    monkeypatch.setattr(rollback, "Ledger", lambda: world.ledger)
    monkeypatch.setattr(rollback, "utcnow", world.clock)
    file = shutil.copy(ROOT / "dags" / "rollback.py", database / "dags")
    yield world
    Path(file).unlink()


def run(procedure: Any, conf: dict[str, Any]) -> Any:
    from escalator_airflow.generate import build_campaign_dags

    (dag,) = build_campaign_dags(procedure)
    return dag.test(run_conf=conf)


def find_started() -> list[Any]:
    """Return the runs of rollbacks that tasks began."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    query = select(DagRun).where(DagRun.dag_id == ROLLBACKS, DagRun.run_type == "operator_triggered")
    with create_session() as session:
        return [(row.run_id, dict(row.conf)) for row in session.scalars(query)]


def test_a_node_that_failed_is_taken_back_by_a_rollback_that_its_campaign_starts(world: World) -> None:
    world.nodes[NODE].activate_faults = [NodeFaultError("disk full")]
    ended = run(UPGRADE, {"bundle": "nova-34", "hosts": [NODE], "on_failed_node": "rollback-node"})
    assert str(ended.state) == "failed"
    ((run_id, conf),) = find_started()
    assert run_id == f"rollback-node-1__{ended.run_id}"
    assert (conf["run_id"], conf["hosts"]) == (ended.run_id, [NODE])
    recorded = world.ledger.run(UPGRADES, ended.run_id)
    report = recorded.document(Document.REPORT)
    assert [(r["run_id"], r["started"]) for r in report["rollbacks"]] == [(run_id, True)]
    undone = RunOf(campaign=UPGRADES, run_id=ended.run_id, version=NEW)
    world.plan = replace(world.plan, undoes=undone)
    world.bundle = replace(world.bundle, components=(Component(name="nova-compute", to=OLD),))
    back = run(ROLLBACK, conf)
    assert read_states(back)["check_conditions"] == "success"
    plan = world.ledger.run(ROLLBACKS, back.run_id).plan()
    assert plan is not None
    assert (plan.undoes, plan.hosts, plan.target_version) == (undone, (NODE,), OLD)
    assert world.ledger.run(ROLLBACKS, back.run_id).progress(NODE).state is NodeState.RELEASED
    assert world.enabled(NODE)


def test_where_the_dag_of_the_rollback_is_paused_the_report_says_so(world: World) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    assert str(run(ROLLBACK, {"run_id": "never-was"}).state) == "failed"  # Airflow knows the DAG since
    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == ROLLBACKS).values(is_paused=True))
    world.nodes[NODE].activate_faults = [NodeFaultError("disk full")]
    ended = run(UPGRADE, {"bundle": "nova-34", "hosts": [NODE], "on_failed_node": "rollback-campaign"})
    report = world.ledger.run(UPGRADES, ended.run_id).document(Document.REPORT)
    (row,) = report["rollbacks"]
    assert f"the DAG {ROLLBACKS} is paused" in row["reason"]
    assert "rollback_not_started" in {finding["code"] for finding in report["findings"]}
