from __future__ import annotations

import pytest
from tests.builders import DOMAIN, make_cloud, make_node, make_plan, make_server
from tests.upgrade_manager.conditions.findings import brief, find_unmet

from escalator.model.feature import Feature
from escalator.model.verdict import Code, Severity

NODES = [make_node("a"), make_node("b")]


@pytest.mark.parametrize(
    ("feature", "code"),
    [
        (Feature.SRIOV_PORT, Code.MOVE_INTERRUPTS),
        (Feature.VDPA_PORT, Code.MOVE_INTERRUPTS),
        (Feature.VGPU, Code.MOVE_INTERRUPTS),
        (Feature.DEDICATED_CPUS, Code.FIT_UNSURE),
        (Feature.HUGE_PAGES, Code.FIT_UNSURE),
        (Feature.NUMA_NODES, Code.FIT_UNSURE),
    ],
)
def test_servers_that_move_but_not_like_others_are_warned_of_once(feature: Feature, code: Code) -> None:
    servers = [make_server(f"s{n}", "a", features=frozenset({feature}), memory=16) for n in range(9)]
    (verdict,) = find_unmet(make_cloud(NODES, servers))
    assert brief((verdict,)) == [(DOMAIN, code, Severity.WARNING)]
    assert verdict.message.startswith("9 servers (s0, s1, s2, s3, s4 and 4 more) with ")
    assert verdict.remedy


@pytest.mark.parametrize("feature", [Feature.SRIOV_PORT, Feature.VGPU])
def test_a_cold_move_interrupts_in_any_case(feature: Feature) -> None:
    off = make_server("s", "a", features=frozenset({feature}), vm_state="stopped")
    assert find_unmet(make_cloud(NODES, [off])) == ()


def test_what_nova_refuses_is_not_warned_of_besides() -> None:
    both = make_server("s", "a", features=frozenset({Feature.VTPM, Feature.DEDICATED_CPUS}))
    assert brief(find_unmet(make_cloud(NODES, [both]))) == [("id-s", Code.SERVER_REFUSED, Severity.BLOCKER)]


def test_what_no_node_is_known_to_have_is_said_and_not_counted() -> None:
    wants = make_server("s", "a", resources={"MEMORY_MB": 16, "VGPU": 1})
    (verdict,) = find_unmet(make_cloud(NODES, [wants]))
    assert brief((verdict,)) == [(DOMAIN, Code.FIT_UNSURE, Severity.WARNING)]
    assert "VGPU" in verdict.message


def test_a_move_that_would_be_aborted_as_hung_is_warned_of() -> None:
    nodes = [make_node(host, memory=1024**2) for host in "ab"]
    large = make_server("large", "a", memory=600 * 1024)
    (verdict,) = find_unmet(make_cloud(nodes, [large, make_server("small", "a")]))
    assert brief((verdict,)) == [(DOMAIN, Code.MOVE_TOO_LONG, Severity.WARNING)]
    assert verdict.message.startswith("1 server (large) would take 650 s to move, or 975 s ")
    for asked in ({"migration_timeout_seconds": 1000}, {"migration_timeout_seconds_per_gib": 2.0}):
        assert find_unmet(make_cloud(nodes, [large]), make_plan("a", "b", **asked)) == ()
