"""Quotas on the real Nova."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from escalator.cloud_manager.cloud import Cloud
from escalator.lab.errors import ApiError
from escalator.lab.lab import Lab
from escalator.lab.servers import ServerSpec
from escalator.model.quota import COUNTED
from escalator.vim_interface.scaling import plan_freeze, plan_restore

pytestmark = pytest.mark.lab
Eventually = Callable[..., Any]


@pytest.fixture
def project(empty_lab: Lab) -> Iterator[str]:
    """Give the project that the lab's servers are of; its quotas are Nova's defaults afterwards."""
    projects = empty_lab.cloud.get("keystone", "/projects?name=admin")["projects"]
    project_id = str(projects[0]["id"])
    yield project_id
    empty_lab.cloud.delete("nova", f"/os-quota-sets/{project_id}")


def boot(lab: Lab, name: str) -> str:
    return lab.boot(ServerSpec(name=name, host="node-01"))


def test_frozen_quota_refuses_a_server_and_restored_takes_it(
    empty_lab: Lab, real_cloud: Cloud, project: str
) -> None:
    boot(empty_lab, "before")
    quotas = real_cloud.quotas
    assert quotas.find_own_project() == project, "it works as the administrator, in the project admin"
    quotas.ensure_limits(project, {"instances": 500, "cores": -1, "ram": 900000})
    found = quotas.fetch(project)
    assert found.limits == {"instances": 500, "cores": -1, "ram": 900000}
    assert found.used["instances"] == 1
    assert found.used["cores"] >= 1
    assert found.used["ram"] >= 1
    frozen = plan_freeze("lab", found)
    assert {quota.name for quota in frozen} == set(COUNTED)
    calls = real_cloud.counter.total
    now = quotas.ensure_limits(project, {quota.name: quota.set_to for quota in frozen})
    assert real_cloud.counter.total - calls == 3
    assert now.limits == now.used == found.used
    with pytest.raises(ApiError, match=r"(?i)quota"):
        boot(empty_lab, "while-frozen")
    back, findings = plan_restore(frozen, now)
    assert (quotas.ensure_limits(project, back).limits, findings) == (found.limits, ())
    boot(empty_lab, "after")


def test_a_limit_below_what_is_used_is_taken_too(empty_lab: Lab, real_cloud: Cloud, project: str) -> None:
    boot(empty_lab, "one")
    boot(empty_lab, "two")
    assert real_cloud.quotas.ensure_limits(project, {"instances": 1}).limits["instances"] == 1


def test_a_server_moves_live_while_quotas_are_frozen(
    empty_lab: Lab, real_cloud: Cloud, project: str, eventually: Eventually
) -> None:
    server_id = boot(empty_lab, "mover")
    now = real_cloud.quotas.fetch(project)
    real_cloud.quotas.ensure_limits(project, now.used)
    real_cloud.start_live_migration(server_id, "node-02")
    assert real_cloud.quotas.fetch(project).used == now.used

    def has_moved() -> bool:
        server = real_cloud.fetch_server(server_id)
        return server.host == "node-02" and server.task_state is None

    eventually(has_moved)  # deleted on its way, it would leave its claim on node-01 behind
