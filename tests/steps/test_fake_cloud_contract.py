"""One suite for the small cloud of these tests and for the lab's real Nova: the fake may not drift."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from tests.steps.fake_cloud import FakeCloud
from tests.steps.fake_records import Clock, Fault
from tests.steps.steps_cloud import StepsCloud

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.lab.lab import Lab
from escalator.lab.servers import ServerSpec
from escalator.model.cloud import Migration, MigrationStatus, Server, ServiceStatus
from escalator.model.errors import ConflictError, InvalidRequestError, LeaseLostError, NotFoundError
from escalator.model.lease import Lease, LeaseMark
from escalator.upgrade_manager.state.domains import domain_of

T = TypeVar("T")
LEASE = Lease.of(campaign="contract", run_id="r", host="node-01", max_parallel=1)
STEPS = Path(__file__).resolve().parents[2] / "include" / "escalator" / "steps"


class Stage(Protocol):
    """A cloud with node-01 and node-02, empty and enabled."""

    cloud: StepsCloud

    def boot(self, state: str = "ACTIVE", fault: str = "") -> str: ...
    def until(self, reached: Callable[[], T | None]) -> T: ...
    def now(self) -> datetime: ...


class FakeStage:
    """The small cloud."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.fake = FakeCloud(clock=self.clock)
        self.cloud: StepsCloud = self.fake
        self.fake.add_host("node-01")
        self.fake.add_host("node-02")

    def boot(self, state: str = "ACTIVE", fault: str = "") -> str:
        vm_state = {"ACTIVE": "active", "SHUTOFF": "stopped", "PAUSED": "paused"}[state]
        return self.fake.boot("mover", "node-01", vm_state=vm_state, fault=Fault(fault)).id

    def until(self, reached: Callable[[], T | None]) -> T:
        for _ in range(60):
            if answer := reached():
                return answer
            self.clock.sleep(1)
        raise AssertionError("it did not come true in sixty polls")

    def now(self) -> datetime:
        return self.clock.now


class LabStage:
    """The lab's Nova."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        counter = CallCounter()
        credentials = CloudCredentials.from_clouds_yaml("lab", path=lab.settings.run / "clouds.yaml")
        self.cloud: StepsCloud = Cloud(connect(credentials, counter), counter)

    def boot(self, state: str = "ACTIVE", fault: str = "") -> str:
        metadata = {"lab_migrate": fault} if fault else {}
        return self.lab.boot(ServerSpec(name="mover", host="node-01", state=state, metadata=metadata))

    def until(self, reached: Callable[[], T | None]) -> T:
        deadline = time.monotonic() + 60
        while not (answer := reached()):
            assert time.monotonic() < deadline, "it did not come true in a minute"
            time.sleep(0.5)
        return answer

    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture(params=["fake", pytest.param("lab", marks=pytest.mark.lab)])
def stage(request: pytest.FixtureRequest) -> Stage:
    if request.param == "fake":
        return FakeStage()
    lab: Lab = request.getfixturevalue("lab")
    lab.reset()
    lab.servers.wait_gone(lab.servers.order_deletion())
    return LabStage(lab)


def newest(stage: Stage, server_id: str) -> Migration | None:
    return next(iter(stage.cloud.fetch_migrations(server_id=server_id)), None)


def ended(stage: Stage, server_id: str) -> Migration | None:
    found = newest(stage, server_id)
    return found if found and not found.status.unfinished else None


def rested(stage: Stage, server_id: str) -> Server | None:
    server = stage.cloud.fetch_server(server_id)
    return server if server.task_state is None and server.vm_state != "resized" else None


def test_a_lease_is_taken_marked_and_given_back(stage: Stage) -> None:
    assert stage.cloud.fetch_service("node-01").status is ServiceStatus.ENABLED
    for _ in range(2):
        assert stage.cloud.ensure_disabled("node-01", LEASE.render()).lease == LEASE
    marked = LEASE.marked(LeaseMark.FAILED)
    assert stage.cloud.ensure_disabled("node-01", marked.render(), over=(LEASE.render(),)).lease == marked
    assert stage.cloud.fetch_services()[0].lease == marked
    for _ in range(2):
        assert (
            stage.cloud.ensure_enabled("node-01", over=(LEASE.render(), marked.render())).status
            is ServiceStatus.ENABLED
        )
    assert stage.cloud.fetch_service("node-01").disabled_reason is None


@pytest.mark.parametrize(
    "reason",
    [
        "broken fan",
        LEASE.render() + " and a word of a person",
        LEASE.of(campaign="c", run_id="o", host="node-01").render(),
    ],
)
def test_a_reason_of_others_is_never_overwritten(stage: Stage, reason: str) -> None:
    stage.cloud.ensure_disabled("node-01", reason)
    with pytest.raises(LeaseLostError):
        stage.cloud.ensure_disabled("node-01", LEASE.render())
    with pytest.raises(LeaseLostError):
        stage.cloud.ensure_enabled("node-01", over=(LEASE.render(),))
    assert stage.cloud.fetch_service("node-01").disabled_reason == reason


def test_the_life_of_a_live_migration(stage: Stage) -> None:
    server_id = stage.boot()
    since = stage.now() - timedelta(seconds=2)
    stage.cloud.start_live_migration(server_id, "node-02")
    assert stage.cloud.fetch_server(server_id).task_state == "migrating"
    assert all(0 <= percent <= 100 for percent in stage.cloud.fetch_copied(server_id).values())
    with pytest.raises(ConflictError):
        stage.cloud.start_live_migration(server_id, "node-02")
    done = stage.until(lambda: ended(stage, server_id))
    assert (done.status, done.type) == (MigrationStatus.COMPLETED, "live-migration")
    assert (done.source_host, done.dest_host) == ("node-01", "node-02")
    server = stage.until(lambda: rested(stage, server_id))
    assert (server.host, server.vm_state) == ("node-02", "active")
    assert [s.id for s in stage.cloud.fetch_servers("node-02")] == [server_id]
    for host in ("node-01", "node-02"):
        assert done.id in {m.id for m in stage.cloud.fetch_migrations(host=host, since=since)}
    assert stage.cloud.fetch_migrations(since=stage.now() + timedelta(hours=1)) == ()


def test_a_cold_migration_waits_to_be_confirmed(stage: Stage) -> None:
    server_id = stage.boot("SHUTOFF")
    with pytest.raises(ConflictError):
        stage.cloud.start_live_migration(server_id, "node-02")
    stage.cloud.start_cold_migration(server_id, "node-02")
    assert stage.cloud.fetch_server(server_id).task_state is not None
    with pytest.raises(ConflictError):
        stage.cloud.confirm_resize(server_id)
    stage.until(lambda: (m := newest(stage, server_id)) and m.status is MigrationStatus.FINISHED)
    assert stage.cloud.fetch_server(server_id).host == "node-02"
    stage.until(
        lambda: newest(stage, server_id) and stage.cloud.fetch_server(server_id).vm_state == "resized"
    )
    assert newest(stage, server_id).status.unfinished  # type: ignore[union-attr]
    stage.cloud.confirm_resize(server_id)
    assert stage.until(lambda: ended(stage, server_id)).status is MigrationStatus.CONFIRMED
    server = stage.until(lambda: rested(stage, server_id))
    assert (server.host, server.vm_state, server.power_state) == ("node-02", "stopped", "shutdown")


@pytest.mark.parametrize(
    ("fault", "status"), [("fail", MigrationStatus.FAILED), ("precheck-fail", MigrationStatus.ERROR)]
)
def test_a_migration_that_fails_leaves_the_server_where_it_was(
    stage: Stage, fault: str, status: MigrationStatus
) -> None:
    server_id = stage.boot(fault=fault)
    stage.cloud.start_live_migration(server_id, "node-02")
    failed = stage.until(lambda: ended(stage, server_id)).status
    assert (failed, failed.failed) == (status, True)
    server = stage.until(lambda: rested(stage, server_id))
    assert (server.host, server.vm_state) == ("node-01", "active")


def test_a_migration_that_hangs_is_aborted(stage: Stage) -> None:
    server_id = stage.boot(fault="hang")
    stage.cloud.start_live_migration(server_id, "node-02")
    running = stage.until(
        lambda: m if (m := newest(stage, server_id)) and m.status is MigrationStatus.RUNNING else None
    )
    taken = stage.cloud.fetch_snapshot("lab", domain_of=domain_of).migrations
    assert running.id in {m.id for m in taken}
    stage.cloud.abort_migration(server_id, running.id)
    assert stage.until(lambda: ended(stage, server_id)).status is MigrationStatus.CANCELLED
    taken = stage.cloud.fetch_snapshot("lab", domain_of=domain_of).migrations
    assert running.id not in {m.id for m in taken}
    assert stage.until(lambda: rested(stage, server_id)).host == "node-01"
    with pytest.raises(ConflictError):
        stage.cloud.abort_migration(server_id, running.id)


def test_a_server_is_stopped_and_started_where_it_is(stage: Stage) -> None:
    server_id = stage.boot()
    with pytest.raises(ConflictError):
        stage.cloud.start_server(server_id)
    stage.cloud.ensure_disabled("node-01", "broken fan")
    stage.cloud.stop_server(server_id)
    assert stage.cloud.fetch_server(server_id).task_state in {"powering-off", None}
    server = stage.until(lambda: s if (s := rested(stage, server_id)) and s.vm_state == "stopped" else None)
    assert (server.host, server.power_state) == ("node-01", "shutdown")
    with pytest.raises(ConflictError):
        stage.cloud.stop_server(server_id)
    stage.cloud.start_server(server_id)
    server = stage.until(lambda: s if (s := rested(stage, server_id)) and s.vm_state == "active" else None)
    assert (server.host, server.power_state) == ("node-01", "running")


def test_a_paused_server_is_not_stopped(stage: Stage) -> None:
    server_id = stage.boot("PAUSED")
    with pytest.raises(ConflictError):
        stage.cloud.stop_server(server_id)
    assert stage.cloud.fetch_server(server_id).vm_state == "paused"


def test_a_disabled_destination_is_accepted_and_ends_in_error(stage: Stage) -> None:
    server_id = stage.boot()
    stage.cloud.ensure_disabled("node-02", "broken fan")
    stage.cloud.start_live_migration(server_id, "node-02")
    assert stage.until(lambda: ended(stage, server_id)).status is MigrationStatus.ERROR
    server = stage.until(lambda: rested(stage, server_id))
    assert (server.host, server.vm_state) == ("node-01", "active")


def test_unknown_names_are_refused(stage: Stage) -> None:
    server_id = stage.boot()
    with pytest.raises(InvalidRequestError, match="node-77"):
        stage.cloud.start_live_migration(server_id, "node-77")
    assert stage.cloud.fetch_migrations(server_id=server_id) == ()
    with pytest.raises(NotFoundError):
        stage.cloud.fetch_servers("node-77")
    with pytest.raises(NotFoundError):
        stage.cloud.fetch_service("node-77")
    nobody = "00000000-0000-0000-0000-000000000000"
    for ask in (
        lambda: stage.cloud.fetch_server(nobody),
        lambda: stage.cloud.start_live_migration(nobody, "node-02"),
        lambda: stage.cloud.stop_server(nobody),
        lambda: stage.cloud.start_server(nobody),
    ):
        with pytest.raises(NotFoundError):
            ask()


def test_a_node_has_a_hypervisor_with_an_inventory(stage: Stage) -> None:
    hypervisor = stage.cloud.fetch_hypervisor("node-01")
    assert {"VCPU", "MEMORY_MB", "DISK_GB"} <= set(stage.cloud.fetch_inventory(hypervisor.id))
    assert {"VCPU"} <= set(stage.cloud.fetch_inventory(hypervisor.id, classes=("VCPU", "VGPU")))
    assert stage.cloud.fetch_port_features("node-01") == {}
    assert stage.cloud.fetch_share_features([stage.boot()]) == {}
    snapshot = stage.cloud.fetch_snapshot(
        "lab",
        domain_of=domain_of,
        target_version="34.0.0",
        node_versions={"node-01": "34.0.0"},
        targets=["node-02"],
    )
    one, two = snapshot.node("node-01"), snapshot.node("node-02")
    assert one is not None
    assert two is not None
    assert (one.upgraded, one.target, two.upgraded, two.target) == (True, False, False, True)


def asked_by_the_steps() -> set[str]:
    return {
        name
        for path in STEPS.rglob("*.py")
        for name in re.findall(
            r"\bcloud\.((?:fetch|ensure|start|confirm|abort|run|delete|stop)_\w+)\(", path.read_text()
        )
    }


def test_the_steps_ask_for_nothing_that_the_protocol_lacks() -> None:
    protocol = {name for name in vars(StepsCloud) if name.startswith(tuple("abcdefrs")) and "_" in name[1:]}
    assert asked_by_the_steps() <= protocol
    assert len(asked_by_the_steps()) > 10


@pytest.mark.parametrize(
    "name", sorted(n for n, m in vars(StepsCloud).items() if inspect.isfunction(m) and n[0] != "_")
)
def test_the_real_cloud_takes_the_same_parameters(name: str) -> None:
    def shape(owner: Any) -> list[tuple[str, object, object]]:
        parameters = inspect.signature(getattr(owner, name)).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert shape(FakeCloud) == shape(Cloud) == shape(StepsCloud)
