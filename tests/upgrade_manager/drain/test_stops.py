"""Which servers are stopped around the upgrade of their node, in which order, and what is next for each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import NOW, make_cloud, make_node, make_pair, make_server

from escalator.model.campaign import UpgradeMode
from escalator.model.cloud import HaGroup, Server
from escalator.model.feature import Feature
from escalator.model.moves import Agreement
from escalator.model.stops import RUNNING, ServerStop
from escalator.model.verdict import Code
from escalator.upgrade_manager.drain.drains import plan_drain
from escalator.upgrade_manager.drain.prechecks import check_servers
from escalator.upgrade_manager.drain.stops import (
    DOWN,
    KEPT,
    PINNED,
    SERVED_ELSEWHERE,
    StartStep,
    StopRule,
    StopStep,
    decide_start,
    decide_stop,
    find_why_stopped,
    find_why_unmovable,
    list_ranks,
    mark_unmovable,
    plan_stops,
)
from escalator.upgrade_manager.state.capacity import CapacityBook
from escalator.upgrade_manager.state.memberships import Memberships
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

NON_SMOOTH, SMOOTH = UpgradeMode.NON_SMOOTH, UpgradeMode.SMOOTH
PCI = frozenset({Feature.PCI})
STOPS = StopRule(mode=NON_SMOOTH)
NODES = (make_node("a"), make_node("b"))


def plan(*servers: Server, rule: StopRule = STOPS, **fields: Any) -> Any:
    snapshot = make_cloud(NODES, servers, **fields.pop("cloud", {}))
    return plan_drain(snapshot, "a", check_servers(snapshot.servers_on("a")), stops=rule, **fields)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, ""),
        ({"migration": "none"}, PINNED),
        ({"features": PCI}, "it has a PCI device that is not marked live_migratable"),
        ({"features": PCI, "vm_state": "stopped"}, ""),  # Nova moves it cold
        ({"features": PCI, "migration": "cold"}, ""),
        ({"features": frozenset({Feature.ACCELERATOR}), "vm_state": "stopped"}, "an accelerator"),
        ({"features": frozenset({Feature.VGPU})}, "a vGPU, which 6.2.0 does not move live"),
        ({"features": frozenset({Feature.NUMA_NODES})}, ""),
    ],
)
def test_why_a_server_cannot_be_moved(fields: dict[str, Any], why: str) -> None:
    found = find_why_unmovable(make_server("s", "a", **fields), ReleaseVersion(major=6, minor=2))
    assert why in found
    assert bool(found) is bool(why)


def test_a_smooth_campaign_stops_nothing_and_a_non_smooth_one_only_what_cannot_move() -> None:
    pinned = make_server("pin", "a", migration="none")
    assert find_why_stopped(pinned, SMOOTH) == ""
    assert find_why_stopped(pinned, NON_SMOOTH) == PINNED
    assert find_why_stopped(make_server("web", "a"), NON_SMOOTH) == ""
    for state in ("paused", "suspended", "error", "rescued"):  # Nova stops none of these
        assert find_why_stopped(replace(pinned, vm_state=state), NON_SMOOTH) == ""


def test_what_is_stopped_needs_no_place_elsewhere() -> None:
    servers = [make_server("gpu", "a", features=PCI), make_server("web", "a"), make_server("card", "b")]
    snapshot = make_cloud(NODES, servers)
    assert mark_unmovable(snapshot, SMOOTH) is snapshot
    pinned = mark_unmovable(snapshot, NON_SMOOTH)
    assert [s.name for s in CapacityBook(pinned).movable(("a", "b"))] == ["card", "web"]
    assert mark_unmovable(pinned, NON_SMOOTH) == pinned


def test_a_drain_stops_what_cannot_move_and_moves_the_rest() -> None:
    drain = plan(
        make_server("gpu", "a", features=PCI),
        make_server("off", "a", migration="none", vm_state="stopped"),
        make_server("web", "a"),
    )
    assert drain.feasible
    assert [move.server_name for move in drain.moves] == ["web"]
    assert drain.staying == ("id-gpu", "id-off")
    assert [(s.server_name, s.rank, s.unmovable) for s in drain.stopping] == [
        ("gpu", 0, True),
        ("off", 0, True),  # it may be started by its owner before the node's turn comes
    ]
    assert drain.unmovable == {"id-gpu", "id-off"}


def test_a_smooth_drain_is_blocked_by_it() -> None:
    drain = plan(make_server("gpu", "a", features=PCI), rule=StopRule())
    assert [v.code for v in drain.verdicts if v.blocks] == [Code.SERVER_REFUSED]
    assert drain.stopping == ()


def test_a_paused_server_that_cannot_move_blocks_its_node_in_both_modes() -> None:
    for mode in UpgradeMode:
        drain = plan(make_server("p", "a", migration="none", vm_state="paused"), rule=StopRule(mode=mode))
        assert [v.code for v in drain.verdicts if v.blocks] == [Code.SERVER_PINNED]
        assert drain.staying == ()


def test_a_member_that_may_stay_runs_on_unless_its_machine_restarts() -> None:
    group, (active, standby) = make_pair("db", "a", "b")
    pinned = replace(active, migration="none")
    fields: dict[str, Any] = {"cloud": {"ha_groups": (group,)}}
    assert plan(pinned, standby, **fields).stopping == ()
    stays = Agreement(stays=(active.id,))
    for mode in UpgradeMode:  # its service was switched away, so it may stay; its machine restarts
        rule = StopRule(mode=mode, restarts=True)
        drain = plan(active, standby, rule=rule, members_stay=False, agreement=stays, cloud=fields["cloud"])
        assert [(s.server_id, s.why, s.unmovable) for s in drain.stopping] == [
            (active.id, SERVED_ELSEWHERE, False)
        ]
        assert (drain.feasible, drain.moves) == (True, ())
    moved = plan(active, standby, rule=StopRule(restarts=True), members_stay=False, cloud=fields["cloud"])
    assert [move.server_id for move in moved.moves] == [active.id]


def test_what_was_found_before_holds_and_what_is_down_is_not_moved_either() -> None:
    gpu = make_server("gpu", "a")  # its ports said that it has an accelerator: this look does not
    assert [s.why for s in plan(gpu, rule=StopRule(mode=NON_SMOOTH, kept=frozenset({gpu.id}))).stopping] == [
        KEPT
    ]
    down = StopRule(down=frozenset({gpu.id}))
    assert [s.why for s in plan(replace(gpu, vm_state="stopped"), rule=down).stopping] == [DOWN]
    assert plan(gpu, rule=down).stopping == ()  # its owner has started it: it moves like any other


def test_of_a_group_the_active_member_starts_first_then_the_others_as_the_group_names_them() -> None:
    names = ("two", "one", "act")
    group = HaGroup(id="db", mode="active-standby", members=tuple(f"id-{n}" for n in names))
    members = [
        make_server(n, "a", ha_group="db", ha_role="active" if n == "act" else "standby") for n in names
    ]
    alone = make_server("alone", "a")
    snapshot = make_cloud(NODES, [*members, alone], ha_groups=(group,))
    stops = plan_stops(snapshot.servers, Memberships(snapshot), {"id-alone": "x"})
    assert [(s.rank, s.server_name, s.ha_group) for s in stops] == [
        (0, "act", "db"),
        (0, "alone", None),
        (1, "two", "db"),
        (2, "one", "db"),
    ]


@pytest.mark.parametrize(
    ("fields", "step"),
    [
        ({}, StopStep.ASK),
        ({"vm_state": "stopped"}, StopStep.DONE),
        ({"task_state": "powering-off"}, StopStep.WAIT),
        ({"vm_state": "paused"}, StopStep.STUCK),
        ({"vm_state": "error"}, StopStep.STUCK),
        ({"host": "b"}, StopStep.DONE),
        ({"vm_state": "shelved_offloaded"}, StopStep.DONE),
    ],
)
def test_what_is_next_for_a_server_that_must_not_run(fields: dict[str, Any], step: StopStep) -> None:
    assert decide_stop(make_server("s", **{"host": "a"} | fields), "a") is step
    assert decide_stop(None, "a") is StopStep.DONE


@pytest.mark.parametrize(
    ("fields", "asked", "step"),
    [
        ({"vm_state": "stopped"}, False, StartStep.ASK),
        ({"vm_state": "stopped", "host": "b"}, False, StartStep.ASK),
        ({"vm_state": "stopped"}, True, StartStep.FAILED),
        ({"vm_state": "stopped", "task_state": "powering-on"}, True, StartStep.WAIT),
        ({}, True, StartStep.RUNS),
        ({}, False, StartStep.RUNS),
        ({"vm_state": "error"}, True, StartStep.FAILED),
        ({"vm_state": "shelved_offloaded"}, False, StartStep.BY_OWNER),
        ({"vm_state": "paused"}, False, StartStep.BY_OWNER),
        ({"vm_state": "resized"}, False, StartStep.WAIT),
        ({"vm_state": "soft-delete"}, False, StartStep.GONE),
    ],
)
def test_what_is_next_for_a_server_that_was_stopped(
    fields: dict[str, Any],
    asked: bool,  # noqa: FBT001
    step: StartStep,
) -> None:
    assert decide_start(make_server("s", **{"host": "a"} | fields), asked=asked) is step
    assert decide_start(None, asked=asked) is StartStep.GONE


def test_ranks_come_in_the_order_of_the_start() -> None:
    stops = [
        ServerStop(server_id=str(n), server_name="s", power_state=RUNNING, noted_at=NOW, rank=n % 2)
        for n in range(4)
    ]
    assert list_ranks(stops) == (0, 1)
