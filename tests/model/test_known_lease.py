from __future__ import annotations

from dataclasses import replace

from tests.builders import NOW, make_plan

from escalator.model.known_lease import KnownLease, LeaseOwner
from escalator.model.lease import LeaseMark, LeasePhase
from escalator.model.run_life import RunLife

LEASE = make_plan("node-01").lease("node-01").at(LeasePhase.DRAINING)
KNOWN = KnownLease(host="node-01", reason=LEASE.render(), lease=LEASE, owner=LeaseOwner.OURS)


def test_the_story_says_since_when_for_whom_how_far_and_what_became_of_the_run() -> None:
    known = replace(KNOWN, since=NOW, run_id="run-1", life=RunLife.DELETED)
    assert known.story == (
        f"it is out since 2026-11-22T08:00+00:00 under the lease of {LEASE.holder}, DRAINING: "
        "its run run-1 is deleted"
    )
    lost = replace(KNOWN, owner=LeaseOwner.UNKNOWN, lease=replace(LEASE, phase=None))
    assert lost.story.endswith("(run 4e65d3fbe8ad): no run of the ledger has it")
    assert lost.installation == "earlier"


def test_a_lease_is_orphaned_when_its_run_is_known_to_be_over_and_it_counts() -> None:
    over = replace(KNOWN, life=RunLife.FINISHED)
    assert (KNOWN.orphaned, over.orphaned) == (False, True)
    assert not replace(over, lease=LEASE.marked(LeaseMark.HELD)).ownerless


def test_what_the_ledger_does_not_know_has_no_owner_here_but_is_not_known_to_be_over() -> None:
    unknown = replace(KNOWN, owner=LeaseOwner.UNKNOWN)
    assert (unknown.orphaned, unknown.ownerless) == (False, True)
    assert not replace(KNOWN, owner=LeaseOwner.ANOTHER).ownerless
