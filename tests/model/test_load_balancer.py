from __future__ import annotations

from dataclasses import replace

import pytest

from escalator.model.load_balancer import PoolMember

MEMBER = PoolMember(
    id="m", pool_id="p", address="10.0.0.1", weight=1, operating_status="ONLINE", provisioning_status="ACTIVE"
)


def test_a_member_serves_when_octavia_sends_it_connections() -> None:
    assert MEMBER.serves
    assert replace(MEMBER, operating_status="NO_MONITOR").serves
    assert not MEMBER.is_left


@pytest.mark.parametrize(
    "change",
    [{"weight": 0}, {"enabled": False}, {"operating_status": "ERROR"}, {"operating_status": "OFFLINE"}],
)
def test_a_member_that_gets_no_connection_does_not_serve(change: dict[str, object]) -> None:
    assert not replace(MEMBER, **change).serves


def test_a_member_is_left_when_its_weight_is_in_effect() -> None:
    assert replace(MEMBER, weight=0, operating_status="DRAINING").is_left
    assert replace(MEMBER, enabled=False).is_left
    assert not replace(MEMBER, weight=0, provisioning_status="PENDING_UPDATE").is_left
    assert not replace(MEMBER, weight=0, provisioning_status="ERROR").is_left
