from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import make_plan
from tests.upgrade_manager.conditions.findings import brief

from escalator.model.known_lease import KnownLease, LeaseOwner
from escalator.model.lease import LeaseMark
from escalator.model.run_life import RunLife
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.leases import check_orphans

OTHER = make_plan("c", campaign="other", run_id="other-run", max_parallel=2)
LEASE = OTHER.lease("c")
KNOWN = KnownLease(host="c", reason=LEASE.render(), lease=LEASE, owner=LeaseOwner.OURS, run_id="other-run")


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({"life": RunLife.RUNNING}, False),
        ({"life": RunLife.NOT_ASKED}, False),
        ({"life": RunLife.FINISHED}, True),
        ({"life": RunLife.DELETED}, True),
        ({"life": RunLife.DELETED, "lease": LEASE.marked(LeaseMark.HELD)}, False),
        ({"owner": LeaseOwner.UNKNOWN, "run_id": None}, True),
        ({"owner": LeaseOwner.ANOTHER, "run_id": None}, False),
    ],
)
def test_a_lease_that_nobody_ends_is_warned_of(changes: dict[str, Any], *, warned: bool) -> None:
    found = list(check_orphans([replace(KNOWN, **changes)]))
    expected = [("c", Code.LEASE_ORPHANED, Severity.WARNING)] if warned else []
    assert brief([condition.verdict for condition in found]) == expected
    assert all("counts against max_parallel" in condition.message for condition in found)
