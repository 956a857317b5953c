from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.builders import NOW, make_cloud, make_node, make_server, make_switch

from escalator.model.switch import SwitchMethod, SwitchRecord
from escalator.upgrade_manager.state.roles import apply_switchovers

NODES = [make_node(f"n{n}") for n in range(3)]
SERVERS = [
    make_server("a", "n0", ha_role="active"),
    make_server("b", "n1", ha_role="standby"),
    make_server("c", "n2", ha_role="standby"),
]
CLOUD = make_cloud(NODES, SERVERS)


def switch(source: str, to: str | None, at: float | None, **fields: Any) -> SwitchRecord:
    return make_switch(
        method=SwitchMethod.VNFM,
        from_server=f"id-{source}",
        to_server=None if to is None else f"id-{to}",
        ended_at=None if at is None else NOW + timedelta(seconds=at),
        **fields,
    )


def roles(*switches: SwitchRecord) -> list[str | None]:
    return [server.ha_role for server in apply_switchovers(CLOUD, switches).servers]


def test_the_last_switchover_tells_who_is_active() -> None:
    assert roles(switch("a", "b", 1)) == ["standby", "active", "standby"]
    assert roles(switch("b", "c", 2), switch("a", "b", 1)) == ["standby", "standby", "active"]
    assert roles(switch("a", "b", 1), switch("b", "a", 2)) == ["active", "standby", "standby"]


def test_what_was_begun_or_led_to_nobody_changes_nothing() -> None:
    assert roles(switch("a", "b", None), switch("a", None, 1, verified=True)) == [
        "active",
        "standby",
        "standby",
    ]
    assert apply_switchovers(CLOUD, ()) is CLOUD
