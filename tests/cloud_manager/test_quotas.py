from __future__ import annotations

from typing import Any

import pytest

from escalator.cloud_manager.cloud import Cloud
from escalator.model.errors import InvalidRequestError
from escalator.model.quota import ProjectQuota

QUOTAS = "/compute/v2.1/os-quota-sets/p-1"


def detail(**limits: int) -> dict[str, Any]:
    known = {"instances": 10, "cores": 20, "ram": -1} | limits
    used = {"instances": 2, "cores": 4, "ram": 4096}
    quota_set = {n: {"limit": limit, "in_use": used[n], "reserved": 0} for n, limit in known.items()}
    return {"quota_set": {"id": "p-1", "key_pairs": {"limit": 100, "in_use": 0, "reserved": 0}, **quota_set}}


def test_limits_and_use_of_a_project_are_read(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", f"{QUOTAS}/detail", detail())
    assert cloud.quotas.fetch("p-1") == ProjectQuota(
        project_id="p-1",
        limits={"instances": 10, "cores": 20, "ram": -1},
        used={"instances": 2, "cores": 4, "ram": 4096},
    )


def test_only_what_differs_is_set_and_it_is_read_back(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", f"{QUOTAS}/detail", detail(), detail(instances=2), detail(instances=2))
    fake.tell("PUT", QUOTAS, {"quota_set": {}})
    assert cloud.quotas.ensure_limits("p-1", {"instances": 2, "cores": 20}).limits["instances"] == 2
    cloud.quotas.ensure_limits("p-1", {"instances": 2, "cores": 20})
    assert [put.body for put in fake.requests_of("PUT", QUOTAS)] == [
        {"quota_set": {"instances": 2, "force": True}}
    ]


def test_nova_that_answers_yes_and_changes_nothing_is_found_out(fake: Any, cloud: Cloud) -> None:
    """Nova does so where its limits are Keystone's (nova.limit.utils.use_unified_limits)."""
    fake.tell("GET", f"{QUOTAS}/detail", detail())
    fake.tell("PUT", QUOTAS, {"quota_set": {}})
    with pytest.raises(InvalidRequestError, match="did not take the quota") as caught:
        cloud.quotas.ensure_limits("p-1", {"ram": 4096})
    assert "Keystone" in str(caught.value.remedy)


def test_our_own_project_is_that_of_the_token(cloud: Cloud) -> None:
    assert cloud.quotas.find_own_project() == "p"
