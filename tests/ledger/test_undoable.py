"""Which run changed nodes, on both kinds of database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.builders import make_plan
from tests.ledger.conftest import HOSTS, NOW

from escalator.ledger.ledger import Ledger
from escalator.ledger.run import CampaignRun

CAMPAIGN = "upgrade__lab"
BUNDLE: dict[str, Any] = {"schema": "escalator.bundle/1", "name": "nova-34"}


def open_run(ledger: Ledger, run_id: str, **asked: Any) -> CampaignRun:
    run = ledger.run(CAMPAIGN, run_id)
    plan = make_plan(*HOSTS, campaign=CAMPAIGN, run_id=run_id, **asked)
    run.open(plan, dag_id=CAMPAIGN, bundle_document=BUNDLE, snapshot_before={}, now=NOW)
    return run


def test_the_last_run_that_changed_a_node_is_found_with_what_it_changed(ledger: Ledger) -> None:
    assert ledger.undoable(CAMPAIGN) is None
    later = NOW + timedelta(seconds=60)
    for run_id in ("first", "second"):
        run = open_run(ledger, run_id)
        run.remember("node-01", upgrade_begun=NOW, from_version="33.0.2", released_at=later)
        run.remember("node-02", upgrade_begun=later, from_version="32.0.0")
        run.remember("node-03", from_version="33.0.2")
    open_run(ledger, "idle").remember("node-01", from_version="33.0.2")
    open_run(ledger, "begun anew").remember("node-01", upgrade_begun=NOW)
    ledger.run(CAMPAIGN, "begun anew").remember("node-01", upgrade_begun=None)
    open_run(ledger, "dry", dry_run=True).remember("node-01", upgrade_begun=NOW)
    found = ledger.undoable(CAMPAIGN)
    assert found is not None
    assert (found.run_id, found.target_version, found.bundle_document) == ("second", "34.0.0", BUNDLE)
    assert [(n.host, n.begun_at, n.from_version, n.released_at) for n in found.nodes] == [
        ("node-02", later, "32.0.0", None),
        ("node-01", NOW, "33.0.2", later),
    ]
    named = ledger.undoable(CAMPAIGN, "first")
    assert named is not None
    assert named.run_id == "first"
    for without in ("idle", "begun anew", "dry", "gone"):
        assert ledger.undoable(CAMPAIGN, without) is None, without
    assert ledger.undoable("upgrade__other") is None


def test_a_node_that_was_given_back_and_then_taken_once_more_is_out(ledger: Ledger) -> None:
    """It gave way once, unchanged, and failed when it came again: it goes back among the first."""
    first, again = NOW + timedelta(seconds=60), NOW + timedelta(seconds=120)
    run = open_run(ledger, "twice")
    run.remember("node-01", leased_at=NOW, released_at=first)
    run.remember("node-01", leased_at=again, upgrade_begun=again)
    run.remember("node-02", leased_at=NOW, upgrade_begun=NOW, released_at=first)
    found = ledger.undoable(CAMPAIGN, "twice")
    assert found is not None
    assert {node.host: node.released_at for node in found.nodes} == {"node-01": None, "node-02": first}
