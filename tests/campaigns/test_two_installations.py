"""Two Airflows with the same DAGs begin the same run over the same nodes of one cloud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from escalator.airflow_client.follow import wait_for_dag
from escalator.lab.lab import Lab
from escalator.model.cloud import ServiceStatus
from escalator.model.lease import Lease, LeasePhase
from tests.campaigns.harness import NEW, Harness, airflow_beside, state_of
from tests.campaigns.watching import Watcher

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(1800)]

RUN_ID = "maintenance-2026-11-28T22:00"
OTHER_INSTANCE = 7
SERVERS = 8
TOGETHER_SECONDS = 1200.0


@pytest.fixture(scope="module")
def other(lab: Lab, harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """A second Airflow with a ledger of its own, over the same lab."""
    assert harness.lab.settings.run == lab.settings.run
    with airflow_beside(lab, OTHER_INSTANCE, tmp_path_factory.mktemp("other")) as found:
        wait_for_dag(found.client, found.dag_id, timeout_seconds=90)
        yield found


@pytest.fixture(scope="module")
def both(harness: Harness, other: Harness) -> dict[str, Any]:
    before = harness.fresh(SERVERS)
    watcher = Watcher(harness.world.cloud())
    begun = datetime.now(UTC) - timedelta(seconds=2)
    installations = (harness, other)
    with watcher.watching():
        runs = [one.client.trigger(one.dag_id, {"bundle": "nova-34"}, run_id=RUN_ID) for one in installations]
        states = [one.wait(run, TOGETHER_SECONDS) for one, run in zip(installations, runs, strict=True)]
    return {
        "before": before,
        "watcher": watcher,
        "states": states,
        "reports": [one.report(run) for one, run in zip(installations, runs, strict=True)],
        "services": harness.services(),
        "migrations": harness.world.cloud().fetch_migrations(since=begun),
    }


def test_both_runs_have_the_same_names_and_end_well(both: dict[str, Any]) -> None:
    assert both["states"] == ["success", "success"]


def test_every_node_is_upgraded_by_one_of_them(harness: Harness, both: dict[str, Any]) -> None:
    released = Counter(
        node["host"] for report in both["reports"] for node in report["nodes"] if node["state"] == "released"
    )
    assert released == Counter(harness.lab.settings.hosts)
    assert {harness.running(host) for host in harness.lab.settings.hosts} == {NEW}
    assert {s.status for s in both["services"].values()} == {ServiceStatus.ENABLED}


def test_never_more_than_one_node_was_drained_or_upgraded(both: dict[str, Any]) -> None:
    """Two may take a lease in the same moment and give it back: nothing is done until one is left."""
    seen = both["watcher"].seen
    at_work = [[h for h, lease in leases.items() if _is_at_work(lease)] for _, leases in seen]
    assert max(map(len, at_work)) == 1
    holders = {lease.installation for _, leases in seen for lease in leases.values() if lease is not None}
    assert len(holders) >= 1


def _is_at_work(lease: Lease | None) -> bool:
    return lease is not None and lease.phase is not LeasePhase.ADMITTED


def test_no_server_was_moved_but_off_a_node_that_was_drained(both: dict[str, Any]) -> None:
    moved = [m for m in both["migrations"] if not m.status.failed]
    assert moved
    for migration in moved:
        assert LeasePhase.DRAINING in both["watcher"].phases_around(
            migration.source_host, migration.created_at
        ), migration


def test_no_server_is_lost_or_changed(harness: Harness, both: dict[str, Any]) -> None:
    after = harness.servers()
    assert {name: state_of(s) for name, s in after.items()} == {
        name: state_of(s) for name, s in both["before"].items()
    }
