"""Masakari by answers that its API 22.0.0 gave; ``test_instance_ha_real.py`` asks the API itself."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.cloud_manager.cloud import Cloud
from escalator.model.errors import ForbiddenError, NotFoundError, TransientError
from escalator.model.watchers import Recovery, SegmentHost

SEGMENT, OTHER = "35615301-e5c0-46c7-b038-e001e7a3c72e", "6c0c06e7-4c4f-4d4e-8d4d-ff1a3a1a2c11"
HOST = "19bb6761-b00b-47a5-a7fc-0b865e790e53"
ROOT = "/instance-ha/v1"
ONE = f"{ROOT}/segments/{SEGMENT}/hosts/{HOST}"


def segment(uuid: str = SEGMENT) -> dict[str, Any]:
    return {
        "id": 1,
        "uuid": uuid,
        "name": "seg1",
        "service_type": "compute",
        "enabled": True,
        "description": "",
        "recovery_method": "auto",
    }


def host(name: str = "node-01", uuid: str = HOST, of: str = SEGMENT, *, on: bool = False) -> dict[str, Any]:
    return {
        "id": 1,
        "uuid": uuid,
        "name": name,
        "failover_segment_id": of,
        "failover_segment": segment(of),
        "type": "COMPUTE",
        "reserved": False,
        "control_attributes": "SSH",
        "on_maintenance": on,
    }


def notification(status: str = "new", **changes: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "notification_uuid": "245a9c2d-8c1c-4ae8-8366-12ddb18c3ca0",
        "generated_time": "2026-11-29T18:20:00.000000",
        "source_host_uuid": HOST,
        "type": "COMPUTE_HOST",
        "payload": {"event": "STOPPED", "host_status": "NORMAL", "cluster_status": "OFFLINE"},
        "status": status,
        "failover_segment_uuid": SEGMENT,
        "message": None,
    } | changes


@pytest.fixture
def guarded(fake: Any, cloud: Cloud) -> Cloud:
    fake.services["instance-ha"] = ""
    fake.tell("GET", f"{ROOT}/notifications", {"notifications": []})
    fake.tell("GET", f"{ROOT}/segments", {"segments": [segment(), segment(OTHER)]})
    fake.tell(
        "GET",
        f"{ROOT}/segments/{SEGMENT}/hosts",
        {"hosts": [host("node-02", "h-2"), host()]},
    )
    fake.tell("GET", f"{ROOT}/segments/{OTHER}/hosts", {"hosts": [host("node-09", "h-9", OTHER)]})
    return cloud


def test_a_cloud_without_masakari_is_not_asked(fake: Any, cloud: Cloud) -> None:
    assert not cloud.instance_ha.exists()
    assert [a.path for a in fake.asked] == ["/identity/v3/auth/tokens"]


def test_it_exists_under_its_older_name_too(fake: Any, cloud: Cloud) -> None:
    fake.services["ha"] = ""
    assert cloud.instance_ha.exists()


def test_without_a_recovery_three_calls_are_made(fake: Any, guarded: Cloud) -> None:
    assert guarded.instance_ha.fetch_recoveries() == ()
    asked = fake.requests_of("GET", f"{ROOT}/notifications")
    assert [a.query["status"] for a in asked] == [["new"], ["running"], ["error"]]
    assert fake.requests_of("GET", f"{ROOT}/segments") == []


def test_a_recovery_names_the_hosts_of_its_segment(fake: Any, guarded: Cloud) -> None:
    none: dict[str, Any] = {"notifications": []}
    fake.tell("GET", f"{ROOT}/notifications", none, {"notifications": [notification("running")]}, none)
    assert guarded.instance_ha.fetch_recoveries() == (
        Recovery(
            id="245a9c2d-8c1c-4ae8-8366-12ddb18c3ca0",
            status="running",
            type="COMPUTE_HOST",
            source="node-01",
            hosts=frozenset({"node-01", "node-02"}),
        ),
    )


@pytest.mark.parametrize(
    ("told", "hosts"),
    [
        ({"failover_segment_uuid": None}, {"node-01", "node-02"}),
        ({"failover_segment_uuid": OTHER, "source_host_uuid": "gone"}, {"node-09"}),
        ({"failover_segment_uuid": None, "source_host_uuid": "gone"}, None),
    ],
)
def test_where_its_segment_is_not_named_that_of_its_host_is_taken_else_it_is_about_all(
    fake: Any, guarded: Cloud, told: dict[str, Any], hosts: set[str] | None
) -> None:
    fake.tell(
        "GET",
        f"{ROOT}/notifications",
        {"notifications": [notification(**told)]},
        {"notifications": []},
    )
    (found,) = guarded.instance_ha.fetch_recoveries()
    assert found.hosts == hosts


def test_a_host_is_found_by_its_name_whatever_the_api_filters(guarded: Cloud) -> None:
    found = SegmentHost(id=HOST, name="node-01", segment_id=SEGMENT, on_maintenance=False)
    assert guarded.instance_ha.find_host("node-01") == found
    assert guarded.instance_ha.find_host("node-1") is None


def test_the_flag_is_set_and_read_back_and_a_second_run_writes_nothing(fake: Any, guarded: Cloud) -> None:
    off, on = {"host": host()}, {"host": host(on=True)}
    fake.tell("GET", ONE, off, on)
    fake.tell("PUT", ONE, on)
    for _ in range(2):
        assert guarded.instance_ha.ensure_maintenance(SEGMENT, HOST, on=True).on_maintenance
    assert [a.body for a in fake.requests_of("PUT", ONE)] == [{"host": {"on_maintenance": True}}]


def test_a_segment_under_recovery_takes_no_change_now(fake: Any, guarded: Cloud) -> None:
    fake.tell("GET", ONE, {"host": host()})
    said = f"Host {HOST} can't be updated as it is in-use to process notifications."
    fake.tell("PUT", ONE, (409, {"conflictingRequest": {"code": 409, "message": said}}))
    with pytest.raises(TransientError, match=r"Masakari changes nothing of node-01 now.*in-use"):
        guarded.instance_ha.ensure_maintenance(SEGMENT, HOST, on=True)


def test_a_flag_that_does_not_hold_is_no_success(fake: Any, guarded: Cloud) -> None:
    fake.tell("GET", ONE, {"host": host()})
    fake.tell("PUT", ONE, {"host": host(on=True)})
    with pytest.raises(TransientError, match="is to have on_maintenance True"):
        guarded.instance_ha.ensure_maintenance(SEGMENT, HOST, on=True)


def test_a_host_that_is_gone_and_a_user_without_rights_are_told_apart(fake: Any, guarded: Cloud) -> None:
    with pytest.raises(NotFoundError):
        guarded.instance_ha.fetch_host(SEGMENT, "gone")
    fake.tell("GET", f"{ROOT}/notifications", (403, {"forbidden": {"code": 403, "message": "policy"}}))
    with pytest.raises(ForbiddenError):
        guarded.instance_ha.fetch_recoveries()


def test_a_segment_that_was_deleted_meanwhile_has_no_hosts(fake: Any, guarded: Cloud) -> None:
    fake.tell("GET", f"{ROOT}/segments/{OTHER}/hosts", (404, {"itemNotFound": {"message": "no"}}))
    assert [h.name for h in guarded.instance_ha.fetch_hosts()] == ["node-01", "node-02"]


@pytest.mark.parametrize(
    "odd", [{}, {"notifications": None}, {"notifications": [{}]}, {"notifications": [1]}]
)
def test_an_answer_that_is_none_of_masakaris_says_of_no_recovery_that_it_is_over(
    fake: Any, guarded: Cloud, odd: dict[str, Any]
) -> None:
    fake.tell("GET", f"{ROOT}/notifications", odd)
    with pytest.raises(TransientError, match="does not answer as it does") as fault:
        guarded.instance_ha.fetch_recoveries()
    assert fault.value.remedy
    fake.tell("GET", f"{ROOT}/segments", {})
    with pytest.raises(TransientError):
        guarded.instance_ha.find_host("node-01")
    fake.tell("GET", ONE, {"host": {}})
    with pytest.raises(TransientError):
        guarded.instance_ha.ensure_maintenance(SEGMENT, HOST, on=True)
