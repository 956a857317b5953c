"""Moves on the real Nova, beside those of tests/steps/test_fake_cloud_contract.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from escalator.cloud_manager.cloud import Cloud
from escalator.lab.lab import Lab
from escalator.lab.servers import ServerSpec
from escalator.model.cloud import Migration, MigrationStatus, Server
from escalator.model.errors import ConflictError

pytestmark = pytest.mark.lab
Eventually = Callable[..., Any]


def ended(cloud: Cloud, server_id: str) -> Migration | None:
    newest = next(iter(cloud.fetch_migrations(server_id=server_id)), None)
    return newest if newest and not newest.status.unfinished else None


def running(cloud: Cloud, server_id: str) -> Migration | None:
    newest = next(iter(cloud.fetch_migrations(server_id=server_id)), None)
    return newest if newest and newest.status is MigrationStatus.RUNNING else None


def settled(cloud: Cloud, server_id: str) -> Server | None:
    server = cloud.fetch_server(server_id)
    return server if server.task_state is None else None


def boot(lab: Lab, fault: str = "", **fields: Any) -> str:
    metadata = {"lab_migrate": fault} if fault else {}
    return lab.boot(ServerSpec(name=f"mover-{fault or 'plain'}", host="node-01", metadata=metadata, **fields))


def test_a_paused_server_moves_live_for_one_call_and_stays_paused(
    empty_lab: Lab, real_cloud: Cloud, eventually: Eventually
) -> None:
    since = datetime.now(UTC) - timedelta(seconds=2)
    server_id = boot(empty_lab, state="PAUSED")
    calls = real_cloud.counter.total
    real_cloud.start_live_migration(server_id, "node-02")
    assert real_cloud.counter.total - calls == 1
    migration = eventually(lambda: ended(real_cloud, server_id))
    assert (migration.status, migration.type) == (MigrationStatus.COMPLETED, "live-migration")
    assert (migration.source_host, migration.dest_host) == ("node-01", "node-02")
    server = eventually(lambda: settled(real_cloud, server_id))
    assert (server.host, server.vm_state) == ("node-02", "paused")
    for host in ("node-01", "node-02"):  # the filter takes both ends
        assert migration in real_cloud.fetch_migrations(host=host, since=since)
    assert migration not in real_cloud.fetch_migrations(host="node-03", since=since)
    assert real_cloud.fetch_migrations(since=datetime.now(UTC) + timedelta(hours=1)) == ()


def test_migration_that_hangs_is_forced(empty_lab: Lab, real_cloud: Cloud, eventually: Eventually) -> None:
    server_id = boot(empty_lab, "hang")
    real_cloud.start_live_migration(server_id, "node-02")
    migration = eventually(lambda: running(real_cloud, server_id))
    real_cloud.force_complete(server_id, migration.id)
    assert eventually(lambda: ended(real_cloud, server_id)).status is MigrationStatus.COMPLETED
    assert eventually(lambda: settled(real_cloud, server_id)).host == "node-02"


def test_state_that_forbids_a_move_is_a_conflict(empty_lab: Lab, real_cloud: Cloud) -> None:
    server_id = boot(empty_lab, state="SHUTOFF")
    for act in (
        lambda: real_cloud.start_live_migration(server_id, "node-02"),
        lambda: real_cloud.confirm_resize(server_id),
    ):
        with pytest.raises(ConflictError, match="HTTP 409") as caught:
            act()
        assert str(caught.value.request_id).startswith("req-")


def test_the_servers_own_node_is_accepted_and_ends_in_error(
    empty_lab: Lab, real_cloud: Cloud, eventually: Eventually
) -> None:
    server_id = boot(empty_lab)
    real_cloud.start_live_migration(server_id, "node-01")
    assert eventually(lambda: ended(real_cloud, server_id)).status is MigrationStatus.ERROR
    server = eventually(lambda: settled(real_cloud, server_id))
    assert (server.host, server.vm_state) == ("node-01", "active")
