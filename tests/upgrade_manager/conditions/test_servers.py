from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import (
    DOMAIN,
    leased,
    make_cloud,
    make_node,
    make_pair,
    make_plan,
    make_server,
)
from tests.upgrade_manager.conditions.findings import PLAN, brief, find_unmet

from escalator.model.campaign import UpgradeMode
from escalator.model.feature import Feature
from escalator.model.verdict import Code, Severity, SubjectType
from escalator.upgrade_manager.conditions.question import (
    ask,
)
from escalator.upgrade_manager.conditions.servers import Method, check_methods, choose_method
from escalator.upgrade_manager.conditions.upgrade import check_upgrade


def test_a_resize_that_another_campaign_will_confirm_is_only_warned_of() -> None:
    resized = make_server("s", "a", vm_state="resized")
    assert brief(find_unmet(make_cloud([make_node("a"), make_node("b")], [resized]))) == [
        ("id-s", Code.SERVER_UNCONFIRMED_RESIZE, Severity.BLOCKER)
    ]
    other = make_plan("c", campaign="other", run_id="other-run")
    busy = make_cloud([make_node("a"), make_node("b"), leased(make_node("c"), other)], [resized])
    found = [verdict for verdict in find_unmet(busy) if verdict.code is not Code.PARALLEL_LIMIT]
    assert brief(tuple(found)) == [("id-s", Code.SERVER_UNCONFIRMED_RESIZE, Severity.WARNING)]


def test_of_many_servers_only_blockers_are_named_and_the_methods_are_counted() -> None:
    servers = [make_server(f"s{i}", "a", memory=16) for i in range(250)] + [
        make_server("bad", "a", vm_state="error")
    ]
    snapshot = make_cloud(
        [make_node("a", vcpus=999, memory=99999), make_node("b", vcpus=999, memory=99999)], servers
    )
    report = check_upgrade(ask(PLAN, snapshot))
    named = [c for c in report.conditions if c.subject.type is SubjectType.SERVER]
    assert [(c.subject.name, c.code) for c in named] == [("bad", Code.SERVER_ERROR)]
    counted = [c.message for c in report.conditions if c.code is Code.SERVER_METHOD and c.subject.id == "a"]
    assert counted == ["251 servers: 250 live, 1 not"]


@pytest.mark.parametrize(
    ("fields", "method"),
    [
        ({}, Method.LIVE),
        ({"vm_state": "paused"}, Method.LIVE),
        ({"vm_state": "stopped"}, Method.COLD),
        ({"migration": "cold"}, Method.COLD),
        ({"migration": "none"}, Method.STOP),
        ({"migration": "none", "vm_state": "stopped"}, Method.REST),
        ({"vm_state": "shelved_offloaded"}, None),
    ],
)
def test_what_becomes_of_a_server(fields: dict[str, str], method: Method | None) -> None:
    server = make_server("s", "a", **fields)
    question = ask(PLAN, make_cloud([make_node("a"), make_node("b")], [server]))
    assert choose_method(question.book, server) is method


def test_members_of_ha_groups_stay_while_no_guest_is_touched() -> None:
    group, servers = make_pair("db", "a", "b")
    snapshot = make_cloud([make_node("a"), make_node("b")], servers, ha_groups=(group,))
    assert choose_method(ask(PLAN, snapshot).book, servers[0]) is Method.STAY
    assert choose_method(ask(replace(PLAN, members_stay=False), snapshot).book, servers[0]) is Method.LIVE


@pytest.mark.parametrize("mode", UpgradeMode)
def test_a_server_that_may_not_move_is_in_the_way_of_a_smooth_upgrade_only(mode: UpgradeMode) -> None:
    snapshot = make_cloud([make_node("a")], [make_server("s", "a", migration="none")])
    found = list(check_methods(ask(make_plan("a", mode=mode), snapshot), DOMAIN))
    blocked = [c.code for c in found if c.blocks]
    assert blocked == ([Code.SERVER_PINNED] if mode is UpgradeMode.SMOOTH else [])
    assert found[-1].message == ("1 server: 1 not" if blocked else "1 server: 1 stop")


def test_servers_on_a_host_that_is_not_there_are_named() -> None:
    lost = [make_server("lost", "gone"), make_server("off", "gone", vm_state="shelved_offloaded")]
    cloud = make_cloud([make_node("a"), make_node("b")], [*lost, make_server("s", "a")])
    (verdict,) = find_unmet(cloud)
    assert brief((verdict,)) == [("gone", Code.NODE_UNKNOWN, Severity.WARNING)]
    assert "1 server (lost)" in verdict.message


def test_what_nova_would_refuse_in_mid_drain_blocks_before_it() -> None:
    off = make_server("off", "a", power_state="shutdown")
    encrypted = make_server("enc", "a", features=frozenset({Feature.MEMORY_ENCRYPTION}))
    old = make_node("a", versions={"hypervisor": "8.0.0"})
    graphics = make_server("gpu", "a", features=frozenset({Feature.VGPU}))
    found = find_unmet(make_cloud([old, make_node("b")], [off, encrypted, graphics]))
    assert sorted((v.subject.id, v.code) for v in found if v.blocks) == [
        ("id-enc", Code.SERVER_REFUSED),
        ("id-gpu", Code.SERVER_REFUSED),
        ("id-off", Code.SERVER_POWER_STATE),
    ]


def test_of_a_server_that_is_stopped_the_check_says_why_for_how_long_and_who_is_told() -> None:
    plan = make_plan("a", mode=UpgradeMode.NON_SMOOTH)
    gpu = make_server("gpu", "a", features=frozenset({Feature.PCI}))
    snapshot = make_cloud([make_node("a")], [gpu])  # no other node: no place is asked for
    for managers, told in (
        (None, "its VNF manager, if it has one, is told before"),
        ({}, "nobody manages it: tell its owner"),
        ({gpu.id: "vnfm-1"}, "VNF manager vnfm-1 is told before"),
    ):
        report = check_upgrade(ask(plan, snapshot, manager_of=managers))
        assert report.met
        (said,) = (c.message for c in report.conditions if c.subject.name == "gpu")
        assert said == (
            "on a: it is stopped before the upgrade of its node, and started again after, as it has a PCI "
            "device that is not marked live_migratable: it is silent for about 3 min, "
            f"in nine cases of ten for at most 6 min; {told}"
        )


def test_a_paused_server_that_cannot_move_blocks_in_non_smooth_mode_as_well() -> None:
    plan = make_plan("a", mode=UpgradeMode.NON_SMOOTH)
    paused = make_server("p", "a", migration="none", vm_state="paused")
    report = check_upgrade(ask(plan, make_cloud([make_node("a"), make_node("b")], [paused])))
    (found,) = (c for c in report.unmet if c.code is Code.SERVER_PINNED)
    assert found.blocks
    assert "Nova stops no paused server" in str(found.remedy)


def test_a_smooth_check_offers_the_non_smooth_mode_for_what_nova_refuses_to_move() -> None:
    gpu = make_server("gpu", "a", features=frozenset({Feature.PCI}))
    report = check_upgrade(ask(PLAN, make_cloud([make_node("a"), make_node("b")], [gpu])))
    (found,) = (c for c in report.unmet if c.code is Code.SERVER_REFUSED)
    assert str(found.remedy).endswith("or upgrade in non-smooth mode, which stops it and starts it again")
