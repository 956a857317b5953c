from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import NOW, make_plan
from tests.plugins.airflow_home import DOMAIN
from tests.plugins.conftest import context
from tests.steps.fake_cloud import FakeCloud
from tests.steps.fake_records import Clock

from escalator.ledger.ledger import Ledger
from escalator.model.campaign import CampaignPlan, NodeState
from escalator.model.run_life import RunLife

pytestmark = pytest.mark.airflow
HOSTS = ("general-001", "general-002", "general-003")


@pytest.fixture
def module(folders: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The operator, on a ledger of its own."""
    assert folders
    url = f"sqlite:///{tmp_path}/reconcile.db"
    Ledger.create_or_upgrade(url)
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)
    from escalator_airflow.operators import reconcile

    return reconcile


@pytest.fixture
def cloud(module: Any, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    fake = FakeCloud(clock=Clock())
    for host in HOSTS:
        fake.add_host(host)
    monkeypatch.setattr(module, "OpenStackCloudHook", lambda _id: SimpleNamespace(get_conn=lambda: fake))
    return fake


def open_run(cloud: FakeCloud) -> CampaignPlan:
    """Put a node out for a run, as the ledger and the cloud have it in mid-drain."""
    ledger = Ledger()
    campaign = "upgrade__lab__cell1-az1-general"
    plan = make_plan(*HOSTS, campaign=campaign, domain=DOMAIN)
    plan = replace(plan, installation=ledger.installation())
    run = ledger.run(plan.campaign, plan.run_id)
    run.open(plan, dag_id=plan.campaign, bundle_document={}, snapshot_before={}, now=NOW)
    reason = plan.lease(HOSTS[0]).renewed().render()
    run.remember(HOSTS[0], leases=(reason,))
    run.set_progress(HOSTS[0], NodeState.MIGRATING, now=NOW)
    cloud.person_disables(HOSTS[0], reason)
    return plan


def reconcile(module: Any, monkeypatch: pytest.MonkeyPatch, life: RunLife, **ti: Any) -> dict[str, Any]:
    monkeypatch.setattr(module, "find_run_life", lambda _context, _dag_id, _run_id: life)
    operator = module.ReconcileOperator(task_id="reconcile", cloud="lab")
    answer: dict[str, Any] = operator.execute(context(**ti))
    return answer


def test_what_is_in_order_is_green(module: Any, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reconcile(module, monkeypatch, RunLife.DELETED) == {"schema_version": 1, "found": 0}
    open_run(cloud)
    assert reconcile(module, monkeypatch, RunLife.RUNNING) == {"schema_version": 1, "found": 0}
    assert cloud.writes == []


def test_what_nobody_ends_is_red_with_what_to_do_for_each(
    module: Any, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    plan = open_run(cloud)
    with pytest.raises(AirflowFailException, match=r"2 thing\(s\) to do: ") as failed:
        reconcile(module, monkeypatch, RunLife.DELETED)
    assert f"node {HOSTS[0]}: it is out" in str(failed.value)
    assert f"escalator leases release {HOSTS[0]} [lease_orphaned]" in str(failed.value)
    assert f"run {plan.run_id} is not in Airflow any more" in str(failed.value)
    assert cloud.writes == []


def test_a_cloud_without_an_inventory_is_refused_in_words(module: Any) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="there is no inventory"):
        module.ReconcileOperator(task_id="reconcile", cloud="gone").execute(context())


def test_a_node_that_somebody_took_out_of_the_inventory_file_is_found_while_its_run_goes_on(
    module: Any, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, folders: Path
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    open_run(cloud)
    path = folders / "inventory" / "lab.json"
    path.write_text(path.read_text().replace(HOSTS[1], "general-009"))
    with pytest.raises(AirflowFailException, match=rf"1 thing.*node {HOSTS[1]}: it is waiting in run"):
        reconcile(module, monkeypatch, RunLife.RUNNING)


@pytest.mark.parametrize(("release", "found"), [("failed", True), ("up_for_retry", False), (None, False)])
def test_a_node_that_is_out_while_all_its_tasks_have_ended_is_found_in_a_run_that_goes_on(
    module: Any,
    cloud: FakeCloud,
    monkeypatch: pytest.MonkeyPatch,
    release: str | None,
    *,
    found: bool,
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    plan = open_run(cloud)
    states = {
        f"{HOSTS[0]}.admit": "success",
        f"{HOSTS[0]}.release": release,
        f"{HOSTS[1]}.admit": None,
    }
    answer = {"get_task_states": lambda **_: {plan.run_id: states}}
    if not found:
        assert reconcile(module, monkeypatch, RunLife.RUNNING, **answer)["found"] == 0
        return
    with pytest.raises(AirflowFailException, match=rf"1 thing.*clear {HOSTS[0]}.admit with downstream"):
        reconcile(module, monkeypatch, RunLife.RUNNING, **answer)
