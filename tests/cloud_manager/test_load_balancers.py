"""Octavia by recorded answers, in the form of its API reference v2 (members, pools, load balancers, stats).

No Octavia has answered here: what it does with a weight of 0 is not shown by these tests.
"""

from __future__ import annotations

from typing import Any

import pytest

from escalator.cloud_manager.cloud import Cloud
from escalator.model.errors import InvalidRequestError, NodeFaultError, TransientError
from escalator.model.load_balancer import PoolMember

POOL = "4029d267-3983-4224-a3d0-afb3fe16a2cd"
BALANCER = "607226db-27ef-4d41-ae89-f2a800e9c2db"
MEMBER = "957a1ace-1bd2-449b-8455-820b6e4b63f3"
ROOT = "/load-balancer/v2/lbaas"
ONE = f"{ROOT}/pools/{POOL}/members/{MEMBER}"


def member(weight: int = 20, status: str = "ACTIVE", **changes: Any) -> dict[str, Any]:
    return {
        "monitor_port": 8080,
        "project_id": "e3cd678b11784734bc366148aa37580e",
        "name": "web-server-1",
        "weight": weight,
        "backup": False,
        "admin_state_up": True,
        "subnet_id": "bbb35f84-35cc-4b2f-84c2-a6a29bba68aa",
        "created_at": "2017-05-11T17:21:34",
        "provisioning_status": status,
        "monitor_address": None,
        "updated_at": "2017-05-11T17:21:37",
        "address": "192.0.2.16",
        "protocol_port": 80,
        "id": MEMBER,
        "operating_status": "NO_MONITOR",
        "tags": ["test_tag"],
    } | changes


@pytest.fixture
def balanced(fake: Any, cloud: Cloud) -> Cloud:
    fake.services["load-balancer"] = ""
    return cloud


def test_members_pools_and_connections_are_read(fake: Any, balanced: Cloud) -> None:
    fake.tell("GET", f"{ROOT}/pools/{POOL}/members", {"members": [member()], "members_links": []})
    fake.tell("GET", f"{ROOT}/pools/{POOL}", {"pool": {"id": POOL, "loadbalancers": [{"id": BALANCER}]}})
    fake.tell(
        "GET",
        f"{ROOT}/loadbalancers/{BALANCER}",
        {"loadbalancer": {"id": BALANCER, "pools": [{"id": POOL}], "listeners": []}},
    )
    stats = {
        "bytes_in": 131342840,
        "total_connections": 52378345,
        "active_connections": 97258,
        "bytes_out": 1549542372,
        "request_errors": 0,
    }
    fake.tell("GET", f"{ROOT}/loadbalancers/{BALANCER}/stats", {"stats": stats})
    balancers = balanced.load_balancers
    assert balancers.fetch_members(POOL) == (
        PoolMember(
            id=MEMBER,
            pool_id=POOL,
            address="192.0.2.16",
            weight=20,
            operating_status="NO_MONITOR",
            provisioning_status="ACTIVE",
        ),
    )
    assert balancers.fetch_load_balancer(POOL) == BALANCER
    assert balancers.fetch_pools(BALANCER) == (POOL,)
    assert balancers.fetch_open_connections(BALANCER) == 97258


def test_weight_is_written_once_and_waited_for(fake: Any, balanced: Cloud, slept: list[float]) -> None:
    pending, done = member(0, "PENDING_UPDATE"), member(0)
    fake.tell("GET", ONE, *({"member": m} for m in (member(), pending, pending, done)))
    fake.tell("PUT", ONE, {"member": pending})
    assert balanced.load_balancers.ensure_weight(POOL, MEMBER, 0)
    assert [put.body for put in fake.requests_of("PUT", ONE)] == [{"member": {"weight": 0}}]
    assert len(slept) == 2
    assert not balanced.load_balancers.ensure_weight(POOL, MEMBER, 0)
    assert len(fake.requests_of("PUT", ONE)) == 1


def test_busy_load_balancer_is_asked_again(fake: Any, balanced: Cloud, slept: list[float]) -> None:
    busy = f"Load Balancer {BALANCER} is immutable and cannot be updated."
    refusal = {"faultcode": "Client", "faultstring": busy, "debuginfo": None}
    fake.tell("GET", ONE, *({"member": m} for m in (member(), member(), member(0))))
    fake.tell("PUT", ONE, (409, refusal), {"member": member(0, "PENDING_UPDATE")})
    assert balanced.load_balancers.ensure_weight(POOL, MEMBER, 0)
    assert len(fake.requests_of("PUT", ONE)) == 2
    assert slept == [0.5]


def test_load_balancer_that_stays_busy_is_given_up_without_a_write(fake: Any, balanced: Cloud) -> None:
    fake.tell("GET", ONE, {"member": member(status="PENDING_UPDATE")})
    with pytest.raises(TransientError, match="is busy"):
        balanced.load_balancers.ensure_weight(POOL, MEMBER, 0)
    assert not fake.requests_of("PUT", ONE)


def test_member_in_error_is_named(fake: Any, balanced: Cloud) -> None:
    fake.tell("GET", ONE, {"member": member(status="ERROR")})
    with pytest.raises(NodeFaultError, match="is in ERROR"):
        balanced.load_balancers.ensure_weight(POOL, MEMBER, 0)


def test_cloud_without_octavia_says_so_and_is_not_written_to(fake: Any, cloud: Cloud) -> None:
    balancers = cloud.load_balancers
    assert not balancers.exists()
    with pytest.raises(InvalidRequestError, match="has no load balancers"):
        balancers.fetch_members(POOL)
    with pytest.raises(InvalidRequestError, match="has no load balancers"):
        balancers.ensure_weight(POOL, MEMBER, 0)
    assert [asked.path for asked in fake.asked] == ["/identity/v3/auth/tokens"]


def test_pool_of_no_load_balancer_is_refused(fake: Any, balanced: Cloud) -> None:
    fake.tell("GET", f"{ROOT}/pools/{POOL}", {"pool": {"id": POOL, "loadbalancers": []}})
    with pytest.raises(InvalidRequestError, match="is of no load balancer"):
        balanced.load_balancers.fetch_load_balancer(POOL)
