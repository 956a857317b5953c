"""The ledger as the list of all runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.ledger.conftest import NOW
from tests.ledger.test_run import HOST, later

from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document
from escalator.ledger.run import CampaignRun
from escalator.model.campaign import CampaignPlan, NodeState
from escalator.model.verdict import Code

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


def test_a_node_that_a_run_is_not_about_counts_for_nothing_in_the_list(
    ledger: Ledger, run: CampaignRun
) -> None:
    run.set_progress("another", NodeState.SKIPPED, now=NOW, code=Code.NOT_SELECTED)
    run.set_progress(HOST, NodeState.SKIPPED, now=NOW, code=Code.ALREADY_UPGRADED)
    (line,) = ledger.campaigns()
    assert line.nodes == {NodeState.WAITING: 2, NodeState.SKIPPED: 1}


def test_a_run_is_open_until_every_node_is_at_its_end(
    ledger: Ledger, run: CampaignRun, plan: CampaignPlan, open_campaign: Open
) -> None:
    open_campaign(ledger, replace(plan, run_id="elsewhere", request=replace(plan.request, cloud="other")))
    for host, state in zip(
        plan.hosts, (NodeState.RELEASED, NodeState.MIGRATING, NodeState.WAITING), strict=True
    ):
        run.set_progress(host, state, now=NOW)
    (found,) = ledger.open_runs("lab")
    assert (found.campaign, found.run_id, found.dag_id) == (plan.campaign, "run-1", "upgrade__lab__domain")
    assert (found.hosts, found.concluded) == (frozenset(plan.hosts), False)
    assert [node.host for node in found.out] == [plan.hosts[1]]
    run.set_document(Document.REPORT, {})
    assert ledger.open_runs("lab")[0].concluded
    for host in plan.hosts[1:]:
        run.set_progress(host, NodeState.HELD, now=NOW)
    assert ledger.open_runs("lab") == ()


def test_a_ledger_is_an_installation_and_a_copy_becomes_one_of_its_own(ledger: Ledger) -> None:
    first = ledger.installation()
    assert len(first) == 8
    assert int(first, 16) >= 0
    claimed = ledger.claim()
    assert claimed != first
    assert ledger.installation() == claimed
