from __future__ import annotations

from typing import Any

import pytest
from tests.cloud_manager.whole_cloud import service

from escalator.cloud_manager.api import find_next_marker
from escalator.cloud_manager.call_counter import CallCounter, make_label
from escalator.cloud_manager.cloud import Cloud
from escalator.model.errors import (
    ConflictError,
    EscalatorError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    TransientError,
)

SERVICE = service("node-01")
SERVICES = "/compute/v2.1/os-services"
ACTION = "/compute/v2.1/servers/s-1/action"
TOKENS = "POST {port}/identity/v3/auth/tokens"


def test_one_call_is_one_request_and_the_token(fake: Any, cloud: Cloud, counter: CallCounter) -> None:
    fake.tell("GET", SERVICES, {"services": [SERVICE]})
    assert [service.host for service in cloud.fetch_services()] == ["node-01"]
    assert counter.total == len(fake.asked) == 2
    cloud.fetch_services()
    assert counter.total == len(fake.asked) == 3
    assert sorted(label.split("/", 1)[1] for label in counter.by_label) == [
        "compute/v2.1/os-services",
        "identity/v3/auth/tokens",
    ]


def test_microversion_and_name_are_sent(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", SERVICES, {"services": []})
    cloud.fetch_services()
    assert fake.asked[-1].microversion == "compute 2.98"
    assert fake.asked[-1].user_agent.startswith("escalator/")


def test_older_cloud_gets_the_older_microversion_once(fake: Any, cloud: Cloud) -> None:
    refusal = {"computeFault": {"code": 406, "message": "Version 2.98 is not supported by the API."}}
    fake.tell("GET", SERVICES, (406, refusal), (406, refusal), {"services": []})
    cloud.fetch_services()
    cloud.fetch_services()
    assert [asked.microversion for asked in fake.requests_of("GET", SERVICES)] == [
        "compute 2.98",
        "compute 2.96",
        "compute 2.90",
        "compute 2.90",
    ]


def test_cloud_that_is_too_old_is_named_so(fake: Any, cloud: Cloud) -> None:
    refusal = {"computeFault": {"code": 406, "message": "Minimum is 2.1 and maximum is 2.60."}}
    fake.tell("GET", SERVICES, (406, refusal))
    with pytest.raises(InvalidRequestError, match=r"maximum is 2\.60") as caught:
        cloud.fetch_services()
    assert "older" in str(caught.value.remedy)


@pytest.mark.parametrize("status", [0, 408, 413, 425, 429, 500, 502, 503, 504])
def test_reads_are_sent_again(fake: Any, cloud: Cloud, slept: list[float], status: int) -> None:
    """The status 0 is a connection that is lost before the answer."""
    fake.tell("GET", SERVICES, (status, {}), (status, {}), {"services": [SERVICE]})
    assert len(cloud.fetch_services()) == 1
    assert len(fake.requests_of("GET", SERVICES)) == 3
    assert slept == [0.5, 1.0]


def test_an_answer_that_is_broken_off_is_asked_for_again(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", SERVICES, b'{"services": [', {"services": [SERVICE]})
    assert len(cloud.fetch_services()) == 1


def test_retries_of_reads_end(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", SERVICES, (503, {}))
    with pytest.raises(TransientError):
        cloud.fetch_services()
    assert len(fake.requests_of("GET", SERVICES)) == 4


@pytest.mark.parametrize("status", [429, 503])
def test_a_read_waits_as_long_as_it_is_asked_to(
    fake: Any, cloud: Cloud, slept: list[float], status: int
) -> None:
    fake.tell("GET", SERVICES, (status, {}, {"Retry-After": "7"}), {"services": [SERVICE]})
    cloud.fetch_services()
    assert slept == [7.0]


def test_a_read_that_is_put_off_for_long_is_the_callers_to_repeat(
    fake: Any, cloud: Cloud, slept: list[float]
) -> None:
    fake.tell("GET", SERVICES, (503, {}, {"Retry-After": "3600"}))
    with pytest.raises(TransientError) as caught:
        cloud.fetch_services()
    assert (caught.value.retry_after_seconds, slept) == (3600.0, [])


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [
        ("30", 30, 30),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 10**6, 10**10),
        ("soon", None, None),
    ],
)
def test_a_limit_of_calls_says_that_nothing_was_done_and_for_how_long(
    fake: Any, cloud: Cloud, told: str, least: float | None, most: float | None
) -> None:
    fake.tell("POST", ACTION, (429, {}, {"Retry-After": told}))
    with pytest.raises(RateLimitedError) as caught:
        cloud.start_live_migration("s-1", "node-02")
    found = caught.value.retry_after_seconds
    assert (least is None and found is None) or (found is not None and least <= found <= most)


@pytest.mark.parametrize("status", [0, 500, 503, 504])
def test_a_write_whose_outcome_is_not_known_is_no_limit_of_calls(
    fake: Any, cloud: Cloud, status: int
) -> None:
    fake.tell("POST", ACTION, (status, {}))
    with pytest.raises(TransientError) as caught:
        cloud.start_live_migration("s-1", "node-02")
    assert not isinstance(caught.value, RateLimitedError)
    assert len(fake.requests_of("POST", ACTION)) == 1


def test_reads_go_on_when_keystone_comes_back(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", SERVICES, {"services": [SERVICE]})
    away = [(503, {}), (500, {}), (0, {})]
    fake.first = lambda asked: away.pop(0) if away and "identity" in asked.path else None
    assert len(cloud.fetch_services()) == 1


def test_writes_are_never_sent_again(fake: Any, cloud: Cloud) -> None:
    fake.tell("POST", ACTION, (503, {}), (202, {}))
    with pytest.raises(TransientError):
        cloud.start_live_migration("s-1", "node-02")
    assert len(fake.requests_of("POST", ACTION)) == 1


def test_connection_that_is_refused_is_transient_and_short(cloud: Cloud, fake: Any) -> None:
    fake.services = {"compute": ":1/nobody"}
    fake.url, real = "http://127.0.0.1", fake.url
    with pytest.raises(TransientError) as caught:
        cloud.start_live_migration("s-1", "node-02")
    assert "Pool" not in str(caught.value)
    assert real


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"badRequest": {"message": "said"}}, InvalidRequestError),
        (401, {"error": {"message": "said"}}, InvalidRequestError),
        (403, {"forbidden": {"message": "said"}}, ForbiddenError),
        (404, {"itemNotFound": {"message": "said"}}, NotFoundError),
        (409, {"conflictingRequest": {"message": "said"}}, ConflictError),
        (409, {"errors": [{"title": "Conflict", "detail": "said"}]}, ConflictError),
        (413, {"overLimit": {"message": "said"}}, RateLimitedError),
        (429, {"overLimit": {"message": "said"}}, RateLimitedError),
        (500, {"computeFault": {"message": "said"}}, TransientError),
        (504, b"<html>said", TransientError),
        (409, b"[]", ConflictError),
    ],
)
def test_status_becomes_the_right_error(
    fake: Any, cloud: Cloud, status: int, body: object, error: type[EscalatorError]
) -> None:
    fake.tell("POST", ACTION, (status, body))
    with pytest.raises(error) as caught:
        cloud.confirm_resize("s-1")
    assert type(caught.value) is error
    assert caught.value.request_id == "req-7"
    assert f"HTTP {status}" in caught.value.message
    if isinstance(body, dict):
        assert caught.value.message.endswith(": said")


def test_answer_that_is_not_json_is_transient(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", SERVICES, b"<html>a proxy speaks</html>")
    with pytest.raises(TransientError, match="not JSON"):
        cloud.fetch_services()


def test_cloud_without_neutron_has_no_agents(fake: Any, cloud: Cloud) -> None:
    del fake.services["network"]
    assert cloud.fetch_agents("node-01") == ()


def test_network_root_is_added_to_a_bare_endpoint(fake: Any, cloud: Cloud) -> None:
    agent = {
        "id": "a",
        "binary": "neutron-l2",
        "host": "n",
        "alive": False,
        "admin_state_up": True,
        "topic": "x",
    }
    fake.tell("GET", "/network/v2.0/agents", {"agents": [agent]})
    assert [(a.binary, a.alive, a.admin_state_up) for a in cloud.fetch_agents("n")] == [
        ("neutron-l2", False, True)
    ]


def test_network_root_is_not_added_twice(fake: Any, cloud: Cloud) -> None:
    fake.services["network"] = "/v2.0"
    fake.tell("GET", "/network/v2.0/agents", {"agents": []})
    fake.tell("GET", "/compute/v2.1/os-hypervisors/detail", {"hypervisors": []})
    assert cloud.fetch_agents("n") == ()


def test_agents_are_looked_for_under_the_name_of_the_hypervisor_too(fake: Any, cloud: Cloud) -> None:
    agent = {"id": "a", "binary": "ovn-controller", "host": "n.org", "alive": True, "admin_state_up": True}
    fake.tell("GET", "/network/v2.0/agents", {"agents": []}, {"agents": [agent]})
    hypervisor = {
        "id": "p-1",
        "hypervisor_hostname": "n.org",
        "service": {"host": "n"},
        "state": "up",
        "status": "enabled",
    }
    fake.tell("GET", "/compute/v2.1/os-hypervisors/detail", {"hypervisors": [hypervisor]})
    assert [a.binary for a in cloud.fetch_agents("n")] == ["ovn-controller"]


def test_cloud_without_nova_is_said_so(fake: Any, cloud: Cloud) -> None:
    del fake.services["compute"]
    with pytest.raises(NotFoundError, match="compute"):
        cloud.fetch_services()


def test_pages_follow_the_marker_only(fake: Any, cloud: Cloud) -> None:
    path = "/compute/v2.1/os-migrations"
    record = {
        "id": 1,
        "uuid": "u-1",
        "instance_uuid": "s-1",
        "migration_type": "live-migration",
        "status": "completed",
        "source_compute": "node-01",
        "dest_compute": "node-02",
        "created_at": "2026-11-22T10:00:00.000000",
        "updated_at": None,
    }
    link = {"rel": "next", "href": "http://elsewhere:1/os-migrations?limit=1&marker=u-1"}
    fake.tell(
        "GET",
        path,
        {"migrations": [record], "migrations_links": [link]},
        {"migrations": [{**record, "id": 2, "created_at": "2026-11-22T11:00:00.000000"}]},
    )
    assert [migration.id for migration in cloud.fetch_migrations(host="node-01")] == [2, 1]
    assert [asked.query for asked in fake.requests_of("GET", path)] == [
        {"host": ["node-01"]},
        {"host": ["node-01"], "marker": ["u-1"]},
    ]


def test_next_marker() -> None:
    assert find_next_marker([{"rel": "self", "href": "x"}]) is None
    assert find_next_marker([{"rel": "next", "href": "http://h/p?marker=m&a=b"}]) == "m"


@pytest.mark.parametrize(
    ("url", "label"),
    [
        (
            "http://h:8774/v2.1/servers/9398d4f0-1f24-4cc9-b367-181e6deda7a8/migrations/7",
            ":8774/v2.1/servers/{id}/migrations/{id}",
        ),
        ("https://h/compute/v2.1/servers/detail?host=node-01", "/compute/v2.1/servers/detail"),
        ("http://h/v2.1/ec90fa61354a40e6a43219138e09d019/servers", "/v2.1/{id}/servers"),
    ],
)
def test_label_has_no_ids(url: str, label: str) -> None:
    assert make_label("GET", url) == f"GET {label}"
