from __future__ import annotations

import pytest
from tests.builders import make_cloud, make_node, make_server

from escalator.model.cloud import Server
from escalator.model.feature import Feature
from escalator.model.moves import Agreement, MoveMethod
from escalator.model.verdict import Code, find_blockers
from escalator.upgrade_manager.drain.drains import choose_move_method, plan_drain
from escalator.upgrade_manager.drain.prechecks import ServerContext, check_server
from escalator.upgrade_manager.drain.refusals import find_fixed, find_not_live, is_powered_off, is_refused
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

ANYWAY = (
    Feature.SRIOV_PORT,
    Feature.VDPA_PORT,
    Feature.DEDICATED_CPUS,
    Feature.HUGE_PAGES,
    Feature.NUMA_NODES,
    Feature.VGPU,
)
LIVE_ONLY_REFUSED = (Feature.MEMORY_ENCRYPTION, Feature.VTPM, Feature.PCI)
FIXED = (Feature.ACCELERATOR, Feature.ACCELERATOR_PORT, Feature.SHARE)


def with_feature(feature: Feature, **fields: str) -> Server:
    return make_server("s", "a", features=frozenset({feature}), **fields)


@pytest.mark.parametrize("feature", ANYWAY)
def test_what_moves_all_the_same(feature: Feature) -> None:
    server = with_feature(feature)
    assert not is_refused(server)
    assert check_server(server) == ()
    assert choose_move_method(server) is MoveMethod.LIVE


@pytest.mark.parametrize("feature", LIVE_ONLY_REFUSED)
def test_what_moves_cold_only(feature: Feature) -> None:
    (verdict,) = check_server(with_feature(feature))
    assert (verdict.code, verdict.blocks) == (Code.SERVER_REFUSED, True)
    assert "refuses its live move" in verdict.message
    assert "stop it" in (verdict.remedy or "")
    assert choose_move_method(with_feature(feature)) is None
    for cold in ({"vm_state": "stopped"}, {"migration": "cold"}):
        assert check_server(with_feature(feature, **cold)) == ()
        assert choose_move_method(with_feature(feature, **cold)) is MoveMethod.COLD


@pytest.mark.parametrize("feature", FIXED)
@pytest.mark.parametrize("fields", [{}, {"vm_state": "stopped"}, {"migration": "cold"}])
def test_what_does_not_move_at_all(feature: Feature, fields: dict[str, str]) -> None:
    server = with_feature(feature, **fields)
    (verdict,) = check_server(server)
    assert "neither live nor cold" in verdict.message
    assert choose_move_method(server) is None


def test_a_share_is_detached_where_nothing_else_keeps_the_server() -> None:
    (verdict,) = check_server(with_feature(Feature.SHARE))
    assert "detach" in (verdict.remedy or "")
    (verdict,) = check_server(
        make_server("s", "a", features=frozenset({Feature.SHARE, Feature.ACCELERATOR, Feature.PCI}))
    )
    assert "detach" not in (verdict.remedy or "")


def test_every_feature_is_judged() -> None:
    assert set(Feature) == {*ANYWAY, *LIVE_ONLY_REFUSED, *FIXED}


def test_everything_that_is_in_the_way_is_named_at_once() -> None:
    server = make_server("s", "a", features=frozenset({Feature.VTPM, Feature.PCI}))
    assert len(find_not_live(server)) == 2
    assert find_fixed(server) == ()
    assert " and " in check_server(server)[0].message


@pytest.mark.parametrize(("version", "found"), [("8.0.9", 1), ("8.1.0", 0), ("8.2.0", 0)])
def test_a_vgpu_needs_a_hypervisor_that_moves_it(version: str, found: int) -> None:
    context = ServerContext(hypervisor=ReleaseVersion.parse(version))
    assert len(check_server(with_feature(Feature.VGPU), context)) == found


@pytest.mark.parametrize("power", ["shutdown", "crashed", "nostate", "suspended"])
def test_an_active_server_whose_guest_does_not_run(power: str) -> None:
    server = make_server("s", "a", power_state=power)
    assert is_powered_off(server)
    (verdict,) = check_server(server)
    assert (verdict.code, verdict.blocks) == (Code.SERVER_POWER_STATE, True)
    assert power in verdict.message
    assert verdict.remedy
    assert choose_move_method(server) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"power_state": "running"},
        {"power_state": "paused"},
        {"power_state": "shutdown", "vm_state": "stopped"},
        {"power_state": "shutdown", "migration": "cold"},
    ],
)
def test_power_states_that_move(fields: dict[str, str]) -> None:
    assert check_server(make_server("s", "a", **fields)) == ()


def test_a_drain_does_not_ask_for_what_nova_would_refuse() -> None:
    cloud = make_cloud([make_node("a"), make_node("b")], [with_feature(Feature.VTPM)])
    plan = plan_drain(cloud, "a")
    assert plan.moves == ()
    assert [v.code for v in find_blockers(plan.verdicts)] == [Code.SERVER_REFUSED]
    agreed = plan_drain(cloud, "a", agreement=Agreement(leaves=("id-s",), cold=("id-s",)))
    assert [(m.method, m.destinations) for m in agreed.moves] == [(MoveMethod.COLD, ("b",))]
