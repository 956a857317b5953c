"""The six use cases of Escalator, end to end, one after the other on one lab with a real scheduler.

Masakari, an Alertmanager and the quota of a tenant are looked at all the time from outside; one node a person
has put on maintenance, which stays so. One server must not be moved, and is known to be so where it may be
stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from escalator.airflow_client.follow import wait_for_dag
from escalator.airflow_client.records import DagRun
from escalator.cloud_manager.snapshots import snapshot_from_document
from escalator.demo.demo_world import CLOUD
from escalator.lab.processes import wait_until
from escalator.lab.servers import ServerSpec
from escalator.model.lease import LeaseMark
from escalator.model.naming import make_dag_id
from escalator.replay.judge import check_trace
from tests.campaigns.harness import NEW, OLD, Harness, host_of, state_of
from tests.campaigns.watched_cloud import PAIR, QUOTA, WatchedCloud, Witness, read_told, watched_cloud

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(3600)]

ONE, TWO, OF_A_PERSON = HOSTS = ("node-01", "node-02", "node-03")
BACK = make_dag_id("rollback", CLOUD, "cell1/az1/general")
PINNED = "pin"
SERVERS = (
    ServerSpec(name="web", host=ONE),
    ServerSpec(name="idle", host=TWO, state="SHUTOFF"),
    ServerSpec(name="held", host=OF_A_PERSON, state="PAUSED"),
    ServerSpec(name=PINNED, host=TWO),
)
PINNED_VNF = """\
schema: escalator.vnf/1
name: pinned
project_id: {project}
groups:
  - {{id: pin, mode: none, supported_migration_type: [NO_MIGRATION], members: [{{name: pin}}]}}
"""
LIMIT_SECONDS = 1.0
"""No service may be away for longer at once."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """A campaign that is over, and what was seen of it from outside."""

    run: DagRun
    state: str
    report: Mapping[str, Any]
    witness: Witness
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def nodes(self, key: str) -> dict[str, Any]:
        """Return what the report says of its nodes."""
        return {node["host"]: node[key] for node in self.report["nodes"]}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The lab, its Airflow, the DAG of the way back, and those that watch."""

    harness: Harness
    back: Harness
    cloud: WatchedCloud

    def upgrade(self, **conf: Any) -> Played:
        """Upgrade the nodes."""
        return self._play(self.harness, {"bundle": "nova-34", "hosts": list(HOSTS), **conf})

    def take_back(self, undone: Played, **conf: Any) -> Played:
        """Take a campaign back."""
        return self._play(self.back, {"run_id": undone.run.run_id, **conf})

    def fail(self, **conf: Any) -> Played:
        """Upgrade the nodes; nova-compute of one does not start with the new release."""
        node = self.harness.lab.node(TWO)
        node.fault(refuse_start_release=NEW)
        try:
            return self.upgrade(**conf)
        finally:
            node.clear_faults()

    def bring(self, name: str, host: str) -> None:
        """Move a server to a node, as its owner may ask for."""
        server = self.harness.servers()[name]
        if host_of(server) != host:
            action = {"os-migrateLive": {"host": host, "block_migration": "auto"}}
            self.harness.lab.servers.act(server["id"], action)
        assert wait_until(lambda: host_of(self.harness.servers()[name]) == host, timeout_seconds=120)
        self.harness.lab.servers.wait_for({server["id"]: "ACTIVE"})

    def _play(self, dag: Harness, conf: Mapping[str, Any]) -> Played:
        before, witness = dag.servers(), Witness(self.cloud)
        with witness.watching():
            run = dag.client.trigger(dag.dag_id, dict(conf))
            state = dag.wait(run)
        said = dag.log(run, "check_conditions")
        assert dag.states(run)["check_conditions"] == "success", said
        report = dag.report(run)
        return Played(
            run=run, state=state, report=report, witness=witness, before=before, after=dag.servers()
        )


@pytest.fixture(scope="module")
def scene(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    harness.fresh(SERVERS)
    wait_for_dag(harness.client, BACK, timeout_seconds=120)
    with watched_cloud(harness, tmp_path_factory.mktemp("watched"), (ONE, TWO)) as cloud:
        harness.lab.masakari.set_maintenance(OF_A_PERSON, on=True)
        yield Scene(harness=harness, back=replace(harness, dag_id=BACK), cloud=cloud)


@contextmanager
def pinned(scene: Scene) -> Iterator[None]:
    """Let a VNF file say that a server must not be moved; a smooth campaign would be refused."""
    path = scene.harness.world.vnf_dir / "pinned.yaml"
    path.write_text(PINNED_VNF.format(project=scene.harness.servers()[PINNED]["tenant_id"]))
    yield
    path.unlink()


@pytest.fixture(scope="module")
def smooth(scene: Scene) -> Played:
    return scene.upgrade()


@pytest.fixture(scope="module")
def smooth_back(scene: Scene, smooth: Played) -> Played:
    return scene.take_back(smooth)


@pytest.fixture(scope="module")
def failed(scene: Scene) -> Played:
    return scene.fail()


@pytest.fixture(scope="module")
def failed_back(scene: Scene, failed: Played) -> Played:
    return scene.take_back(failed)


@pytest.fixture(scope="module")
def stopping(scene: Scene) -> Iterator[Scene]:
    """From here on a server must not be moved."""
    scene.bring(PINNED, TWO)
    with pinned(scene):
        yield scene


@pytest.fixture(scope="module")
def cold(stopping: Scene) -> Played:
    return stopping.upgrade(mode="non-smooth")


@pytest.fixture(scope="module")
def cold_back(scene: Scene, cold: Played) -> Played:
    return scene.take_back(cold, mode="non-smooth")


@pytest.fixture(scope="module")
def cold_failed(stopping: Scene) -> Played:
    return stopping.fail(mode="non-smooth")


@pytest.fixture(scope="module")
def cold_failed_back(scene: Scene, cold_failed: Played) -> Played:
    return scene.take_back(cold_failed, mode="non-smooth")


# -- what holds in every use case


def assert_watched(played: Played) -> None:
    """Whoever watches knew of each node as long as it was out; never two were, and no quota was open."""
    witness = played.witness
    assert witness.wrong == []
    assert len(witness.looks) > 20
    assert witness.most_out == 1


def assert_as_before(
    scene: Scene, played: Played, release: Mapping[str, str], *, first: Played | None = None
) -> None:
    """All nodes are in service with a release, all servers in their state; nothing is left over.

    :param first: the campaign before it, when the servers are to be as they were before that.
    """
    assert played.state == "success", played.report["findings"]
    services = scene.harness.services()
    assert {(services[h].status, services[h].disabled_reason) for h in services} == {("enabled", None)}
    assert {host: scene.harness.running(host) for host in HOSTS} == release
    assert {n: state_of(s) for n, s in played.after.items()} == {
        n: state_of(s) for n, s in (first or played).before.items()
    }
    look = scene.cloud.look()
    assert {host for host, on in look.flags.items() if on} == {OF_A_PERSON}
    assert look.silences == frozenset()
    assert look.quota == QUOTA


def assert_report(played: Played, released: Mapping[str, tuple[str, str]]) -> None:
    """The report has each node with its versions, what was told and cleared, and breaks no rule."""
    report = played.report
    versions = {
        node["host"]: (node["from_version"], node["to_version"])
        for node in report["nodes"]
        if node["state"] == "released"
    }
    assert versions == released
    told = set(released) - {OF_A_PERSON}
    assert {host: read_told(report, "on_maintenance")[host] for host in told} == dict.fromkeys(told, True)
    assert OF_A_PERSON not in read_told(report, "on_maintenance")
    assert {host: read_told(report, "silence")[host] for host in released} == dict.fromkeys(released, True)
    found = check_trace(snapshot_from_document(report["snapshot_before"]), report["trace"])
    assert [str(violation) for violation in found.violations] == []


def assert_no_gap(scene: Scene, played: Played) -> None:
    """No service was away for long: neither by the probe nor by its own processes; no server that moved."""
    (group,) = [row for row in played.report["service_interruptions"]["groups"] if row["group"] == PAIR]
    assert group["longest_seconds"] <= LIMIT_SECONDS
    assert scene.cloud.longest_gap() <= LIMIT_SECONDS
    moved = [move for node in played.report["nodes"] for move in node["moves"]]
    assert all(
        (move["interruption_ms"] or 0) < 1000 * LIMIT_SECONDS for move in moved if move["method"] == "live"
    )
    assert played.report["stops"] == []


def assert_stopped_for_its_node_alone(played: Played) -> None:
    """The server that must not move was stopped with its node, and runs again there; no other was stopped."""
    assert {(stop["name"], stop["became"]) for stop in played.report["stops"]} == {(PINNED, "runs again")}
    assert host_of(played.after[PINNED]) == TWO
    assert played.after[PINNED]["status"] == "ACTIVE"


def assert_undoes(played: Played, undone: Played) -> None:
    assert (played.report["procedure"], played.report["undoes"]) == (
        "rollback",
        {"campaign": undone.run.dag_id, "run_id": undone.run.run_id, "version": NEW},
    )


def assert_failed(played: Played) -> frozenset[str]:
    """One node stays out and says why, no other went after it. Return the nodes that were changed."""
    assert played.state == "failed"
    states = played.nodes("state")
    assert {host for host, state in states.items() if state == "failed"} == {TWO}
    assert set(states.values()) <= {"failed", "released", "waiting", "skipped"}
    lease = played.witness.looks[-1].services[TWO].lease
    assert lease is not None
    assert lease.mark is LeaseMark.FAILED
    assert f"[{played.nodes('code')[TWO]}] " in lease.words
    assert played.nodes("message")[TWO]
    assert played.witness.looks[-1].flags[TWO]
    return frozenset(host for host, state in states.items() if state in {"failed", "released"})


def assert_taken_back(scene: Scene, undone: Played, played: Played, changed: frozenset[str]) -> None:
    """Every node that was changed is back, and all that was told before that is over."""
    assert_as_before(scene, played, ALL_OLD, first=undone)
    assert_watched(played)
    assert played.nodes("state") == dict.fromkeys(changed, "released")
    assert played.nodes("to_version") == dict.fromkeys(changed, OLD)
    assert read_told(played.report, "on_maintenance")[TWO]
    assert played.witness.seen_out == changed
    assert_undoes(played, undone)


ALL_NEW, ALL_OLD = dict.fromkeys(HOSTS, NEW), dict.fromkeys(HOSTS, OLD)
UP, DOWN = dict.fromkeys(HOSTS, (OLD, NEW)), dict.fromkeys(HOSTS, (NEW, OLD))


def test_use_case_1_smooth_upgrade(scene: Scene, smooth: Played) -> None:
    assert_as_before(scene, smooth, ALL_NEW)
    assert_watched(smooth)
    assert smooth.witness.seen_out == set(HOSTS)
    assert_report(smooth, UP)
    assert (smooth.report["procedure"], smooth.report["undoes"]) == ("upgrade", None)
    assert_no_gap(scene, smooth)


def test_use_case_3_rollback_after_a_successful_smooth_upgrade(
    scene: Scene, smooth: Played, smooth_back: Played
) -> None:
    assert_as_before(scene, smooth_back, ALL_OLD)
    assert_watched(smooth_back)
    assert_report(smooth_back, DOWN)
    assert_undoes(smooth_back, smooth)
    assert_no_gap(scene, smooth_back)


def test_use_case_2_rollback_after_a_failed_smooth_upgrade(
    scene: Scene, failed: Played, failed_back: Played
) -> None:
    changed = assert_failed(failed)
    assert_watched(failed)
    assert_taken_back(scene, failed, failed_back, changed)
    assert_no_gap(scene, failed_back)


def test_use_case_4_non_smooth_upgrade(scene: Scene, cold: Played) -> None:
    assert_as_before(scene, cold, ALL_NEW)
    assert_watched(cold)
    assert_report(cold, UP)
    assert_stopped_for_its_node_alone(cold)


def test_use_case_6_rollback_after_a_successful_non_smooth_upgrade(
    scene: Scene, cold: Played, cold_back: Played
) -> None:
    assert_as_before(scene, cold_back, ALL_OLD)
    assert_watched(cold_back)
    assert_report(cold_back, DOWN)
    assert_undoes(cold_back, cold)
    assert_stopped_for_its_node_alone(cold_back)


def test_use_case_5_rollback_after_a_failed_non_smooth_upgrade(
    scene: Scene, cold_failed: Played, cold_failed_back: Played
) -> None:
    changed = assert_failed(cold_failed)
    assert_watched(cold_failed)
    assert_taken_back(scene, cold_failed, cold_failed_back, changed)
    assert host_of(cold_failed_back.after[PINNED]) == TWO
    assert cold_failed_back.after[PINNED]["status"] == "ACTIVE"
