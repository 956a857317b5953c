from __future__ import annotations

from typing import Any

import pytest

from escalator.cloud_manager.cloud import Cloud
from escalator.model.errors import InvalidRequestError, LeaseLostError, NotFoundError
from escalator.model.lease import Lease, LeaseMark

PATH = "/compute/v2.1/os-services"
ONE = f"{PATH}/svc-1"
LEASE = Lease.of(campaign="c", run_id="r", host="node-01", max_parallel=1)
OTHER = Lease.of(campaign="c", run_id="another", host="node-01")


def service(reason: str | None, status: str | None = None) -> dict[str, Any]:
    record = {
        "binary": "nova-compute",
        "host": "node-01",
        "id": "svc-1",
        "zone": "az1",
        "status": status or ("disabled" if reason else "enabled"),
        "state": "up",
        "updated_at": None,
        "disabled_reason": reason,
        "forced_down": False,
    }
    return {"services": [record]}


def test_disable_writes_and_reads_back(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", PATH, service(None), service(LEASE.render()))
    fake.tell("PUT", ONE, {})
    assert cloud.ensure_disabled("node-01", LEASE.render()).lease == LEASE
    assert [asked.body for asked in fake.requests_of("PUT", ONE)] == [
        {"status": "disabled", "disabled_reason": LEASE.render()}
    ]


def test_second_disable_writes_nothing(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", PATH, service(LEASE.render()))
    assert cloud.ensure_disabled("node-01", LEASE.render()).lease == LEASE
    assert fake.requests_of("PUT", ONE) == []


def test_own_lease_may_be_marked(fake: Any, cloud: Cloud) -> None:
    failed = LEASE.marked(LeaseMark.FAILED).render()
    fake.tell("GET", PATH, service(LEASE.render()), service(failed))
    fake.tell("PUT", ONE, {})
    assert cloud.ensure_disabled("node-01", failed, over=(LEASE.render(),)).disabled_reason == failed


@pytest.mark.parametrize(
    "reason", ["broken fan", OTHER.render(), "AUTO: host down", LEASE.render() + " and a word"]
)
def test_what_others_wrote_is_not_overwritten(fake: Any, cloud: Cloud, reason: str) -> None:
    fake.tell("GET", PATH, service(reason))
    with pytest.raises(LeaseLostError, match="disabled already"):
        cloud.ensure_disabled("node-01", LEASE.render())
    assert fake.requests_of("PUT", ONE) == []


def test_disabled_without_a_reason_is_not_overwritten(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", PATH, service(None, "disabled"))
    with pytest.raises(LeaseLostError):
        cloud.ensure_disabled("node-01", LEASE.render())
    assert fake.requests_of("PUT", ONE) == []


def test_change_at_the_same_moment_is_found(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", PATH, service(None), service(OTHER.render()))
    fake.tell("PUT", ONE, {})
    with pytest.raises(LeaseLostError, match="same moment"):
        cloud.ensure_disabled("node-01", LEASE.render())


@pytest.mark.parametrize("reason", ["", "x" * 256])
def test_reason_that_nova_would_cut_is_refused(fake: Any, cloud: Cloud, reason: str) -> None:
    with pytest.raises(InvalidRequestError):
        cloud.ensure_disabled("node-01", reason)
    assert fake.asked == []


def test_enable_writes_and_reads_back(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", PATH, service(LEASE.render()), service(None))
    fake.tell("PUT", ONE, {})
    assert cloud.ensure_enabled("node-01", over=(LEASE.render(),)).lease is None
    assert [asked.body for asked in fake.requests_of("PUT", ONE)] == [{"status": "enabled"}]


def test_second_enable_writes_nothing(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", PATH, service(None))
    cloud.ensure_enabled("node-01", over=(LEASE.render(),))
    assert fake.requests_of("PUT", ONE) == []


def test_only_the_holder_enables(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", PATH, service("broken fan"))
    with pytest.raises(LeaseLostError, match="broken fan"):
        cloud.ensure_enabled("node-01", over=(LEASE.render(),))
    assert fake.requests_of("PUT", ONE) == []


def test_disabled_again_at_the_same_moment_is_found(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", PATH, service(LEASE.render()), service("broken fan"))
    fake.tell("PUT", ONE, {})
    with pytest.raises(LeaseLostError, match="same moment"):
        cloud.ensure_enabled("node-01", over=(LEASE.render(),))


def test_unknown_host_is_named(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", PATH, {"services": []})
    with pytest.raises(NotFoundError, match="node-77"):
        cloud.fetch_service("node-77")
