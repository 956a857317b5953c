"""A campaign's real DAG run through Airflow without a scheduler, on a small cloud."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.dags.conftest import ROOT
from tests.steps.worlds import World

from escalator.ledger.campaign_record import CampaignRecord
from escalator.model.errors import InvalidRequestError
from escalator.model.run_life import FindLife
from escalator.steps.running.context import CampaignContext


def let_the_dag_work_on(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the operators open the world's cloud, nodes, ledger and clock, and the files of a folder."""
    from escalator_airflow import records
    from escalator_airflow.operators import campaign, node
    from escalator_airflow.triggers import probing

    def probe_nothing(dag_id: str, run_id: str) -> None:
        """Where tasks run one after the other, nothing can be watched beside them."""
        raise InvalidRequestError(f"{dag_id}, {run_id}: no task runs beside another")

    def opened(dag_id: str, run_id: str, **_: object) -> CampaignContext:
        plan = world.ledger.run(dag_id, run_id).plan()
        if plan is None:
            raise InvalidRequestError(f"no campaign of {dag_id}, run {run_id}")
        return world.context(plan)

    def made(record: CampaignRecord, *, find_life: FindLife, **_: object) -> CampaignContext:
        find_leases = partial(records.find_leases, find_life)
        return replace(world.context(record.plan), find_leases=find_leases)

    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(folder))
    monkeypatch.setenv("ESCALATOR_BUNDLE_DIR", str(ROOT / "include" / "bundles"))
    monkeypatch.setenv("ESCALATOR_REPORT_DIR", str(folder / "reports"))
    monkeypatch.setattr(campaign, "make_context", made)
    monkeypatch.setattr(records, "Ledger", lambda: world.ledger)
    monkeypatch.setattr(campaign, "utcnow", world.clock)
    monkeypatch.setattr(probing, "_open_watch", probe_nothing)
    for module in (campaign, node):
        monkeypatch.setattr(module, "open_campaign", opened)


def read_states(run: Any) -> dict[str, str]:
    """Return the states of a run's tasks."""
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
