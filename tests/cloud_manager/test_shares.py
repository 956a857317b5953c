"""Servers with a share of Manila: asked for where there may be any, one by one and only so many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.cloud_manager.whole_cloud import Read, server

from escalator.cloud_manager import shares
from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.snapshots import snapshot_from_document, snapshot_to_document
from escalator.model.errors import ForbiddenError
from escalator.model.feature import Feature
from escalator.model.unread import CloudPart

REFUSED = (403, {"forbidden": {"message": "Policy doesn't allow it"}})
HAS = frozenset({Feature.SHARE})


def path(number: int) -> str:
    return f"/compute/v2.1/servers/s-{number:04d}/shares"


def offer(whole: Any, highest: str) -> None:
    whole.tell("GET", "/compute/v2.1/", {"version": {"min_version": "2.1", "version": highest}})


@pytest.fixture(params=shares.SERVICE_TYPES)
def manila(whole: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A cloud with Manila and three servers, the second of which has a share; the third is gone."""
    whole.services[request.param] = "/v2"
    offer(whole, "2.100")
    whole.tell("GET", "/network/v2.0/agents", {"agents": []})
    whole.tell("GET", "/network/v2.0/ports", {"ports": []})
    servers = {"servers": [server(number) for number in (1, 2, 3)]}
    whole.tell("GET", "/compute/v2.1/servers/detail", servers)
    whole.first = lambda asked: (200, {"servers": []}) if "soft_deleted" in asked.query else None
    whole.tell("GET", path(1), {"shares": []})
    whole.tell("GET", path(2), {"shares": [{"share_id": "x", "status": "active", "tag": "x"}]})
    return whole


def found(read: Read) -> dict[str, Any]:
    return {server.id: server.features for server in read(with_agents=True).servers}


def test_a_check_asks_for_the_shares_of_each_server(read: Read, manila: Any) -> None:
    assert found(read) == {"s-0001": frozenset(), "s-0002": HAS, "s-0003": frozenset()}
    (asked,) = manila.requests_of("GET", path(2))
    assert asked.microversion == "compute 2.97"
    snapshot = read(with_agents=True)
    assert snapshot.unread == ()
    again = snapshot_from_document(snapshot_to_document(snapshot)).servers
    assert [server.features for server in again] == [server.features for server in snapshot.servers]
    assert len(manila.requests_of("GET", "/compute/v2.1/")) == 1


def test_no_step_asks_but_the_precheck_of_a_node(read: Read, manila: Any, cloud: Cloud) -> None:
    assert all(not server.features for server in read().servers)
    assert manila.requests_of("GET", path(2)) == []
    assert cloud.fetch_share_features(["s-0002", "s-0003"]) == {"s-0002": HAS}
    assert cloud.fetch_share_features([]) == {}


def test_beyond_the_bound_a_check_says_how_many_it_asked(
    read: Read, manila: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert manila
    monkeypatch.setattr(shares, "MOST_ASKED", 2)
    snapshot = read(with_agents=True)
    (unread,) = snapshot.unread
    assert (unread.part, unread.partly) == (CloudPart.SHARES, True)
    assert "2 of 3 servers" in unread.message
    assert {server.id for server in snapshot.servers if server.features} == {"s-0002"}


def test_a_user_who_may_not_list_shares(read: Read, manila: Any, cloud: Cloud) -> None:
    manila.tell("GET", path(1), REFUSED)
    (unread,) = read(with_agents=True).unread
    assert (unread.part, unread.partly) == (CloudPart.SHARES, False)
    with pytest.raises(ForbiddenError):
        cloud.fetch_share_features(["s-0001"])


@pytest.mark.parametrize("highest", ["2.96", "2.90"])
def test_a_nova_that_attaches_no_shares_is_not_asked(read: Read, manila: Any, highest: str) -> None:
    offer(manila, highest)
    assert not any(found(read).values())
    assert manila.requests_of("GET", path(2)) == []


def test_without_manila_nothing_is_asked(whole: Any, cloud: Cloud, counter: CallCounter) -> None:
    assert whole.url
    assert cloud.fetch_share_features(["s-0001"]) == {}
    assert counter.total <= 1  # the token
