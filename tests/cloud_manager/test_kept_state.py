from __future__ import annotations

from typing import Any

import pytest

from escalator.cloud_manager import kept_state
from escalator.cloud_manager.cloud import Cloud

COMPUTE = "/compute/v2.1"
SERVICES = [{"id": "s-1", "binary": "nova-conductor"}, {"id": "s-2", "binary": "nova-compute"}]
AGGREGATES = [{"name": "fast", "hosts": ["node-01"], "metadata": {"ssd": "true"}}]
FORBIDDEN = 403, {"forbidden": {"code": 403, "message": "Policy doesn't allow it"}}


@pytest.fixture
def told(fake: Any) -> Any:
    fake.tell("GET", f"{COMPUTE}/os-services", {"services": SERVICES})
    fake.tell("GET", f"{COMPUTE}/os-aggregates", {"aggregates": AGGREGATES})
    for project in ("p-1", "p-2"):
        path = f"{COMPUTE}/os-quota-sets/{project}"
        fake.tell("GET", path, {"quota_set": {"id": project, "cores": 4}})
    return fake


def test_everything_is_kept_as_nova_tells_it(told: Any, cloud: Cloud) -> None:
    assert cloud.fetch_kept_state(["p-2", "p-1", "p-1"]) == {
        "services": SERVICES,
        "aggregates": AGGREGATES,
        "quotas": {"p-1": {"id": "p-1", "cores": 4}, "p-2": {"id": "p-2", "cores": 4}},
        "unread": [],
    }
    assert len([asked for asked in told.asked if asked.path.startswith(COMPUTE + "/os-")]) == 4


def test_what_the_user_may_not_read_is_named(told: Any, cloud: Cloud) -> None:
    told.tell("GET", f"{COMPUTE}/os-aggregates", FORBIDDEN)
    told.tell("GET", f"{COMPUTE}/os-quota-sets/p-2", FORBIDDEN)
    found = cloud.fetch_kept_state(["p-1", "p-2"])
    assert (found["aggregates"], list(found["quotas"])) == ([], ["p-1"])  # type: ignore[call-overload]
    first, second = found["unread"]  # type: ignore[misc]
    assert first.startswith("aggregates: ")
    assert second == "quotas of p-2"


def test_a_project_that_keystone_has_no_more_keeps_nothing_from_being_saved(told: Any, cloud: Cloud) -> None:
    """Its servers outlived it: Nova asks Keystone for the project, and takes the request for a bad one."""
    said = "Project ID p-2 is not a valid project."
    told.tell("GET", f"{COMPUTE}/os-quota-sets/p-2", (400, {"badRequest": {"code": 400, "message": said}}))
    found = cloud.fetch_kept_state(["p-1", "p-2"])
    assert (list(found["quotas"]), found["unread"]) == (["p-1"], ["quotas of p-2"])  # type: ignore[call-overload]


def test_too_many_projects_are_not_asked_for(
    told: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    del told
    monkeypatch.setattr(kept_state, "MOST_PROJECTS", 1)
    found = cloud.fetch_kept_state(["p-1", "p-2"])
    assert (found["quotas"], found["unread"]) == ({}, ["quotas: 2 projects, more than 1"])
