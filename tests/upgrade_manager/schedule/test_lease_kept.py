"""What is decided right after a lease was written; the rest of admission is in test_admission."""

import pytest
from tests.builders import disabled, leased, make_node, make_plan

from escalator.model.cloud import ComputeService, Node, ServiceState
from escalator.model.decisions import Admission
from escalator.model.lease import LeaseMark
from escalator.model.verdict import Code
from escalator.upgrade_manager.schedule.admission import check_lease_kept

PLAN = make_plan("a", "b", "c")
OTHER = make_plan("a", "b", "c", campaign="other", run_id="other-run", max_parallel=3)


def services(*nodes: Node) -> list[ComputeService]:
    return [
        ComputeService(
            id=n.host,
            host=n.host,
            zone=n.zone,
            state=ServiceState.UP,
            status=n.status,
            disabled_reason=n.disabled_reason,
        )
        for n in nodes
    ]


def test_a_lease_alone_is_kept() -> None:
    kept = check_lease_kept(services(leased(make_node("a"), PLAN), make_node("b")), ["b"], PLAN, "a")
    assert (kept.admission, kept.code) == (Admission.ADMIT, Code.ADMITTED)


@pytest.mark.parametrize("around", [["b"], ["a", "b"]])
def test_two_leases_are_one_too_many(around: list[str]) -> None:
    read = services(leased(make_node("a"), PLAN), leased(make_node("b"), OTHER))
    kept = check_lease_kept(read, around, PLAN, "a")
    assert (kept.admission, kept.code) == (Admission.WAIT, Code.PARALLEL_LIMIT)
    assert "b" in kept.message


def test_only_unmarked_neighbours_count_after_the_write() -> None:
    read = services(
        leased(make_node("a"), PLAN),
        leased(make_node("b"), OTHER, LeaseMark.FAILED),
        leased(make_node("far"), OTHER),
    )
    assert check_lease_kept(read, ["b"], PLAN, "a").admission is Admission.ADMIT


def test_the_other_campaigns_limit_counts_after_the_write() -> None:
    plan = make_plan("a", max_parallel=2)
    strict = make_plan("b", campaign="other", run_id="other-run", max_parallel=1)
    read = services(leased(make_node("a"), plan), leased(make_node("b"), strict))
    assert check_lease_kept(read, ["b"], plan, "a").code is Code.PARALLEL_LIMIT
    assert check_lease_kept(
        services(leased(make_node("a"), plan), leased(make_node("b"), OTHER)), ["b"], plan, "a"
    ).admission is (Admission.ADMIT)


@pytest.mark.parametrize(
    "found",
    [
        make_node("a"),
        disabled(make_node("a")),
        leased(make_node("a"), OTHER),
        leased(make_node("a"), PLAN, LeaseMark.FAILED),
    ],
)
def test_a_lease_that_is_not_ours_is_lost(found: Node) -> None:
    kept = check_lease_kept(services(found, make_node("b")), ["b"], PLAN, "a")
    assert (kept.admission, kept.code) == (Admission.WAIT, Code.LEASE_LOST)


def test_a_service_that_is_gone_is_a_lost_lease() -> None:
    assert check_lease_kept([], [], PLAN, "a").code is Code.LEASE_LOST
