"""One campaign in which a person and a tenant act at every step.

The tenant deletes, snapshots, resizes and shelves servers of a node that is drained, and an administrator
moves one away. A person enables a node in mid-drain, adds words to the reason of another, and takes over a
third while it is upgraded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from escalator.lab.api import ApiError
from escalator.lab.servers import ServerSpec
from escalator.model.cloud import Migration, ServiceStatus
from escalator.model.lease import LeasePhase
from tests.campaigns.harness import NEW, OLD, Harness, host_of
from tests.campaigns.watching import Watcher

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.timeout(2400)]

TENANTS, ENABLED, WORDED, TAKEN = "node-01", "node-02", "node-03", "node-04"
WORDS = " - do not enable, Ann"
REASON = "disk is being replaced, ticket 4711"
SLOW = {"lab_migrate_seconds": "3"}
SNAPSHOT_SECONDS = 75
ACTING_SECONDS = 60
"""How long a move off a node takes until somebody has acted there: what waits gets its turn after that."""
AT_ONCE = 8
"""Moves under way from one node: what else is on it waits."""


def servers() -> list[ServerSpec]:
    """Return enough servers on two nodes that some wait while the first ones are moved."""
    tenants = [
        ServerSpec(
            name=f"own-{n:02d}",
            host=TENANTS,
            metadata={"lab_snapshot_seconds": str(SNAPSHOT_SECONDS)},
        )
        for n in range(AT_ONCE + 6)
    ]
    enabled = [ServerSpec(name=f"rest-{n:02d}", host=ENABLED) for n in range(AT_ONCE + 4)]
    others = [ServerSpec(name=f"web-{h}", host=h, metadata=SLOW) for h in (WORDED, TAKEN)]
    return [*tenants, *enabled, *others]


class People:
    """A person, a tenant and an administrator, with what each of them did."""

    def __init__(self, harness: Harness, servers: Mapping[str, Any]) -> None:
        self.harness, self.lab, self.cloud = harness, harness.lab, harness.world.cloud()
        self.servers = servers
        self.did: dict[str, str] = {}
        self.at: dict[str, datetime] = {}

    def waiting(self, host: str) -> Iterator[str]:
        """Give the servers of a node that nobody moves yet, once more than that are on their way."""
        deadline = time.monotonic() + 60
        while True:
            found = self.cloud.fetch_servers(host)
            if sum(s.task_state == "migrating" for s in found) >= AT_ONCE - 1:
                return iter(sorted(s.name for s in found if s.task_state is None))
            assert time.monotonic() < deadline, found
            time.sleep(0.3)

    def act(self, what: str, name: str, action: Mapping[str, Any] | None) -> None:
        """Do something with a server; None deletes it."""
        self.did[what] = name
        server_id = self.servers[name]["id"]
        if action is None:
            self.lab.cloud.delete("nova", f"/servers/{server_id}")
        else:
            self.lab.servers.act(server_id, action)

    def tenant(self) -> None:
        """Act on servers that wait, and on one that is on its way."""
        small = self.flavor("m1.small")
        names = self.waiting(TENANTS)
        self.act("busy", next(names), {"createImage": {"name": "nightly"}})
        self.act("deleted", next(names), None)
        self.act("shelved", next(names), {"shelve": None})
        self.act("moved", next(names), {"os-migrateLive": {"host": TAKEN, "block_migration": "auto"}})
        self.lab.node(TENANTS).clear_faults()  # a resize would take as long as a move
        self.act("resized", next(names), {"resize": {"flavorRef": small}})
        flying = [s.name for s in self.cloud.fetch_servers(TENANTS) if s.task_state == "migrating"]
        self.act("deleted in flight", max(set(flying) - {self.did["moved"]}), None)
        self.harness.let_arrive(TENANTS)
        self.confirm(self.did["resized"])

    def flavor(self, name: str) -> str:
        flavors = self.lab.cloud.get("nova", "/flavors")["flavors"]
        return str(next(f["id"] for f in flavors if f["name"] == name))

    def confirm(self, name: str) -> None:
        """Confirm a resize as soon as it waits for that."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                self.lab.servers.act(self.servers[name]["id"], {"confirmResize": None})
            except ApiError:
                time.sleep(1.0)
            else:
                return
        raise AssertionError(f"{name} never waited for confirmation")

    def enable(self) -> None:
        """Take a node back in mid-drain."""
        assert list(self.waiting(ENABLED))
        self.put(ENABLED, {"status": "enabled"})
        self.harness.let_arrive(ENABLED)

    def add_words(self) -> None:
        """Ask in words that a node be left alone."""
        reason = self.cloud.fetch_service(WORDED).disabled_reason
        self.put(WORDED, {"status": "disabled", "disabled_reason": f"{reason}{WORDS}"})

    def take(self) -> None:
        """Take a node over whose software is changed just now."""
        self.put(TAKEN, {"status": "disabled", "disabled_reason": REASON})

    def put(self, host: str, body: Mapping[str, str]) -> None:
        self.lab.cloud.put("nova", f"/os-services/{self.cloud.fetch_service(host).id}", body)
        self.at[host] = datetime.now(UTC)


@pytest.fixture(scope="module")
def drill(harness: Harness) -> dict[str, Any]:
    people = People(harness, harness.fresh(servers()))
    for host in (TENANTS, ENABLED):
        harness.lab.node(host).fault(seconds=ACTING_SECONDS)
    watcher = Watcher(
        harness.world.cloud(),
        {
            (TENANTS, LeasePhase.DRAINING): people.tenant,
            (ENABLED, LeasePhase.DRAINING): people.enable,
            (WORDED, LeasePhase.DRAINING): people.add_words,
            (TAKEN, LeasePhase.UPGRADING): people.take,
        },
    )
    begun = datetime.now(UTC) - timedelta(seconds=2)
    with watcher.watching():
        run = harness.trigger(max_failed_nodes=3, migration_timeout_seconds=180)
        state = harness.wait(run)
    assert watcher.trouble == []
    assert watcher.done == set(watcher.acts)
    return {
        "run": run,
        "state": state,
        "people": people,
        "watcher": watcher,
        "services": harness.services(),
        "servers": harness.servers(),
        "nodes": {node["host"]: node for node in harness.report(run)["nodes"]},
        "migrations": people.cloud.fetch_migrations(since=begun),
    }


def test_the_tenants_node_is_upgraded_all_the_same(harness: Harness, drill: dict[str, Any]) -> None:
    assert drill["nodes"][TENANTS]["state"] == "released", drill["nodes"][TENANTS]
    assert harness.running(TENANTS) == NEW
    assert drill["services"][TENANTS].status is ServiceStatus.ENABLED


def test_what_the_tenant_did_is_as_he_left_it(drill: dict[str, Any]) -> None:
    did, found = drill["people"].did, drill["servers"]
    assert {did["deleted"], did["deleted in flight"]}.isdisjoint(found)
    assert found[did["shelved"]]["status"] == "SHELVED_OFFLOADED"
    assert found[did["busy"]]["status"] == "ACTIVE"
    assert found[did["resized"]]["status"] == "ACTIVE"
    gone = {did["deleted"], did["deleted in flight"]}
    assert set(found) == {spec.name for spec in servers()} - gone
    assert {s["status"] for n, s in found.items() if n != did["shelved"]} == {"ACTIVE"}


def test_a_busy_server_does_not_keep_the_others(drill: dict[str, Any]) -> None:
    moves = drill["nodes"][TENANTS]["moves"]
    last = max(moves, key=lambda move: move["ended"])
    assert last["name"] == drill["people"].did["busy"]
    assert all(move["succeeded"] for move in moves if move["name"] == drill["people"].did["busy"])


def test_a_node_that_a_person_enabled_is_left_to_him(harness: Harness, drill: dict[str, Any]) -> None:
    node, service = drill["nodes"][ENABLED], drill["services"][ENABLED]
    assert (node["state"], node["code"]) == ("held", "lease_lost")
    assert service.status is ServiceStatus.ENABLED
    assert harness.running(ENABLED) == OLD
    left = [name for name, s in drill["servers"].items() if host_of(s) == ENABLED]
    assert left, "every server was moved off it"
    late = drill["people"].at[ENABLED] + timedelta(seconds=8)
    assert [m for m in _ours(drill) if m.source_host == ENABLED and m.created_at > late] == []


def test_words_that_a_person_added_are_respected(harness: Harness, drill: dict[str, Any]) -> None:
    node, service = drill["nodes"][WORDED], drill["services"][WORDED]
    assert (node["state"], node["code"]) == ("held", "lease_lost")
    assert service.status is ServiceStatus.DISABLED
    assert service.disabled_reason.endswith(WORDS)
    assert WORDS.strip() in node["message"]
    assert harness.running(WORDED) == OLD


def test_a_node_that_a_person_took_while_it_was_upgraded_is_shouted_about(drill: dict[str, Any]) -> None:
    node, service = drill["nodes"][TAKEN], drill["services"][TAKEN]
    assert (node["state"], node["code"]) == ("held", "lease_lost")
    assert (service.status, service.disabled_reason) == (ServiceStatus.DISABLED, REASON)
    assert "NEVER VERIFIED" in node["message"]


def test_the_run_is_red(drill: dict[str, Any]) -> None:
    assert drill["state"] == "failed"


def test_never_more_than_one_node_was_under_a_lease_as_it_was_written(drill: dict[str, Any]) -> None:
    for at, leases in drill["watcher"].seen:
        out = [h for h, lease in leases.items() if lease is not None and not lease.words.endswith(WORDS)]
        assert len(out) <= 1, (at, leases)


def _ours(drill: dict[str, Any]) -> list[Migration]:
    """Return the live migrations that the campaign asked for."""
    moved = drill["people"].servers[drill["people"].did["moved"]]["id"]
    return [
        m
        for m in drill["migrations"]
        if m.type == "live-migration" and not (m.server_id == moved and m.dest_host == TAKEN)
    ]


def test_no_server_was_moved_but_off_a_node_that_was_drained(drill: dict[str, Any]) -> None:
    ours = _ours(drill)
    assert len(ours) > AT_ONCE
    for migration in ours:
        phases = drill["watcher"].phases_around(migration.source_host, migration.created_at)
        assert LeasePhase.DRAINING in phases, migration
