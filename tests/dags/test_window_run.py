"""A campaign in two windows, run through Airflow without a scheduler: the real DAG on a small cloud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.dags.campaign_run import let_the_dag_work_on, read_states
from tests.plugins.airflow_home import NOW, own_home
from tests.steps.worlds import QuickLedger, World

from escalator.inventory.inventory_file import write_inventory
from escalator.ledger.records import Document
from escalator.model.inventory import Inventory, InventoryNode
from escalator.model.procedure import UPGRADE

pytestmark = pytest.mark.airflow
DAG_ID = "upgrade__lab__cell1-az1-general"
START = datetime.fromisoformat(NOW)
WINDOW = {
    "cloud": "lab",
    "domain": "cell1/az1/general",
    "cron": "0 8 * * *",
    "minutes": 60,
    "run": {"bundle": "nova-34"},
}


@pytest.fixture
def world(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A small cloud whose domain has a window of an hour, from eight o'clock."""
    assert database == own_home()
    world = World(ledger=QuickLedger.at(tmp_path / "ledger.db"), opened=False)
    nodes = tuple(InventoryNode(host=h, domain=WINDOW["domain"], address=h) for h in world.hosts)
    write_inventory(tmp_path / "lab.json", Inventory(cloud="lab", taken_at=START, nodes=nodes))
    windows = {"schema": "escalator.windows/1", "windows": [WINDOW]}
    (tmp_path / "windows.yaml").write_text(json.dumps(windows))
    let_the_dag_work_on(world, tmp_path, monkeypatch)
    yield world
    world.cloud.before = None


def run(
    world: World, opens: datetime, *, is_dated: bool = True
) -> tuple[Any, dict[str, str], dict[str, Any]]:
    """Run the campaign of one window, which closes as soon as a node is out.

    :return: the run, the states of its tasks, and the report.
    """
    from escalator_airflow.generate import build_campaign_dags

    def close(method: str) -> None:
        if method == "ensure_disabled":
            world.clock.now = max(world.clock.now, opens + timedelta(minutes=60))

    world.clock.now = opens
    world.cloud.before = close
    (dag,) = build_campaign_dags(UPGRADE)
    ended = dag.test(
        logical_date=opens if is_dated else None,
        run_after=opens + timedelta(minutes=1),
        run_conf=WINDOW["run"],
    )
    return ended, read_states(ended), world.ledger.run(DAG_ID, ended.run_id).document(Document.REPORT)


def test_what_one_window_leaves_the_next_one_takes_up(world: World) -> None:
    ended, states, report = run(world, START)
    released = [host for host in world.hosts if states[f"{host}.release"] == "success"]
    left = [host for host in world.hosts if host not in released]
    assert str(ended.state) == "success"
    assert (len(released), len(left)) == (1, 2)
    assert {states[f"{host}.{step}"] for host in left for step in ("admit", "upgrade")} == {"skipped"}
    plan = world.ledger.run(DAG_ID, ended.run_id).plan()
    assert plan is not None
    assert plan.window_end == START + timedelta(minutes=60)
    assert report["outcome"] == "window-closed"
    assert {f["subject"]["id"] for f in report["findings"] if f["code"] == "window_closed"} == set(left)
    assert all(world.enabled(host) for host in world.hosts)

    again, states, report = run(world, START + timedelta(days=1))
    assert str(again.state) == "success"
    assert states[f"{released[0]}.admit"] == "skipped"
    assert sorted(states[f"{host}.release"] for host in left) == ["skipped", "success"]
    assert report["outcome"] == "window-closed"
    assert [node.switched for node in world.nodes.values()].count(1) == 2


def test_a_run_without_a_logical_date_ends_with_the_window_too(world: World) -> None:
    ended, _, report = run(world, START, is_dated=False)
    assert (ended.logical_date, ended.data_interval_end) == (None, None)
    assert report["outcome"] == "window-closed"
