"""A campaign's real DAG run through Airflow without a scheduler, on a small cloud."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.dags.conftest import ROOT
from tests.steps.worlds import World

from escalator.leases.known import FindLife
from escalator.ledger.campaign_record import CampaignRecord
from escalator.steps.running.context import CampaignContext


def let_the_dag_work_on(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the operators open the world's cloud, nodes, ledger and clock, and the files of a folder."""
    from escalator_airflow import records
    from escalator_airflow.operators import campaign, node

    def opened(dag_id: str, run_id: str) -> CampaignContext:
        plan = world.ledger.run(dag_id, run_id).plan()
        assert plan is not None
        return world.context(plan)

    def made(record: CampaignRecord, *, find_life: FindLife) -> CampaignContext:
        find_leases = partial(records.find_leases, find_life)
        return replace(world.context(record.plan), find_leases=find_leases)

    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(folder))
    monkeypatch.setenv("ESCALATOR_BUNDLE_DIR", str(ROOT / "include" / "bundles"))
    monkeypatch.setenv("ESCALATOR_REPORT_DIR", str(folder / "reports"))
    monkeypatch.setattr(campaign, "make_context", made)
    monkeypatch.setattr(records, "Ledger", lambda: world.ledger)
    monkeypatch.setattr(campaign, "utcnow", world.clock)
    for module in (campaign, node):
        monkeypatch.setattr(module, "open_campaign", opened)


def read_states(run: Any) -> dict[str, str]:
    """Return the states of a run's tasks."""
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
