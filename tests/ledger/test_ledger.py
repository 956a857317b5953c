"""The ledger as the list of all runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.ledger.conftest import NOW
from tests.ledger.test_run import HOST, later

from escalator.ledger.ledger import Ledger
from escalator.ledger.run import CampaignRun
from escalator.model.campaign import CampaignPlan, NodeState

if TYPE_CHECKING:
    from tests.ledger.conftest import Open


def test_the_list_of_campaigns_counts_nodes_newest_first(
    ledger: Ledger, run: CampaignRun, plan: CampaignPlan, open_campaign: Open
) -> None:
    open_campaign(ledger, replace(plan, run_id="run-2"), now=later())
    run.set_progress(HOST, NodeState.FAILED, now=NOW)
    newest, oldest = ledger.campaigns()
    assert (newest.run_id, newest.nodes) == ("run-2", {NodeState.WAITING: 3})
    assert (oldest.run_id, oldest.opened_at) == ("run-1", NOW)
    assert oldest.nodes == {NodeState.WAITING: 2, NodeState.FAILED: 1}
    assert (oldest.bundle, oldest.target_version, oldest.dag_id) == (
        "nova-34",
        "34.0.0",
        "upgrade__lab__domain",
    )
    assert [item.run_id for item in ledger.campaigns(limit=1)] == ["run-2"]
