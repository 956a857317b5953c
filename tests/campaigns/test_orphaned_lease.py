"""A lease whose run Airflow does not know any more: the daily look finds it, and a person ends it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest

from escalator.demo.demo_world import CLOUD
from escalator.ledger.ledger import Ledger
from escalator.model.campaign import CampaignPlan, CampaignRequest, NodeState
from escalator.model.clock import utcnow
from tests.campaigns.harness import NEW, Harness

pytestmark = [pytest.mark.lab, pytest.mark.stack]
HOST, DOMAIN = "node-01", "cell1/az1/general"
RECONCILE = f"reconcile__{CLOUD}"


@dataclass
class Orphan:
    """A node that is out for a run which is in the ledger only, and a shell to type in."""

    harness: Harness
    run_id: str

    def type_words(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.harness.type_leases(*words)

    def reconcile(self) -> tuple[str, str]:
        """Let the daily look run now; return how it ended, and its log."""
        client = self.harness.client
        run = client.trigger(RECONCILE)
        ended = client.wait(RECONCILE, run.run_id, timeout_seconds=600)
        task = client.get_task_instance(RECONCILE, run.run_id, "reconcile")
        log = client.task_log(RECONCILE, run.run_id, "reconcile", try_number=max(1, task.try_number))
        return str(ended.state), log


@pytest.fixture(scope="module")
def orphan(harness: Harness) -> Orphan:
    harness.fresh(4)
    ledger = Ledger(harness.stack.database_url("escalator"))
    plan = CampaignPlan(
        campaign=harness.dag_id,
        run_id=f"deleted-{os.getpid()}",
        request=CampaignRequest(cloud=CLOUD, domain=DOMAIN, bundle="nova-34"),
        hosts=(HOST,),
        target_version=NEW,
        installation=ledger.installation(),
    )
    run = ledger.run(plan.campaign, plan.run_id)
    run.open(plan, dag_id=plan.campaign, bundle_document={}, snapshot_before={}, now=utcnow())
    reason = plan.lease(HOST).renewed().render()
    run.remember(HOST, leases=(reason,), leased_at=utcnow())
    run.set_progress(HOST, NodeState.ADMITTED, now=utcnow())
    harness.world.cloud().ensure_disabled(HOST, reason)
    return Orphan(harness=harness, run_id=plan.run_id)


def test_the_daily_look_is_red_and_says_what_to_do(orphan: Orphan) -> None:
    state, log = orphan.reconcile()
    assert state == "failed"
    assert f"its run {orphan.run_id} is deleted" in log
    assert f"escalator leases release {HOST}" in log


def test_the_check_warns_of_it(orphan: Orphan) -> None:
    client = orphan.harness.client
    run = client.trigger(f"check__{CLOUD}", {"bundle": "nova-34"})
    assert str(client.wait(run.dag_id, run.run_id, timeout_seconds=600).state) == "success"
    log = client.task_log(run.dag_id, run.run_id, "check_conditions")
    assert "[lease_orphaned]" in log


def test_the_list_says_whose_it_is(orphan: Orphan) -> None:
    done = orphan.type_words("--json")
    assert done.returncode == 0, done.stderr
    leases: list[dict[str, Any]] = json.loads(done.stdout)["leases"]
    (lease,) = (lease for lease in leases if lease["host"] == HOST)
    assert (lease["run_id"], lease["owner"], lease["run_life"]) == (
        orphan.run_id,
        "this installation",
        "deleted",
    )


def test_a_person_gives_the_node_back_and_all_is_in_order(orphan: Orphan) -> None:
    done = orphan.type_words("release", HOST, "--yes")
    assert done.returncode == 0, done.stderr
    service = orphan.harness.services()[HOST]
    assert (service.status, service.disabled_reason) == ("enabled", None)
    state, log = orphan.reconcile()
    assert state == "success", log


def test_a_living_run_keeps_its_lease(orphan: Orphan) -> None:
    harness = orphan.harness
    harness.lab.node(HOST).fault(seconds=600)  # it goes on until the words are typed
    run = harness.trigger(hosts=[HOST])
    harness.wait_for(run, f"{HOST}.precheck", "running", "success")
    done = orphan.type_words("mark-failed", HOST, "--yes")
    harness.let_arrive(HOST)
    assert (done.returncode, "still goes on" in done.stderr) == (2, True), done.stdout + done.stderr
    assert harness.wait(run) == "success", harness.states(run)
