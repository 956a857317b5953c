from datetime import UTC, datetime

import pytest

from escalator.model.bundle import Bundle, Component, NoMechanism
from escalator.model.campaign import CampaignPlan, CampaignRequest, LedgerView, NodeProgress, NodeState
from escalator.model.errors import EscalatorError, PlanInfeasibleError
from escalator.model.inventory import Inventory, InventoryNode
from escalator.model.moves import DrainPlan
from escalator.model.verdict import Code, Severity, Subject, SubjectType, Verdict, blockers

SUBJECT = Subject(type=SubjectType.SERVER, id="3f", name="web-1")
BLOCKER = Verdict(code=Code.CAPACITY, message="no room", subject=SUBJECT, remedy="make room")
NOTE = Verdict(code=Code.SERVER_LOCKED, message="locked", subject=SUBJECT, severity=Severity.INFO)


def test_a_plans_lease_says_its_limit_and_bundle() -> None:
    request = CampaignRequest(cloud="lab", domain="d", bundle="nova-34", max_parallel=2)
    plan = CampaignPlan(campaign="dag", run_id="run", request=request, hosts=("a",), target_version="34.0.0")
    lease = plan.lease("a")
    assert lease.max_parallel == 2
    assert "nova-34" in lease.words
    assert not lease.same_holder(plan.lease("b"))


def test_an_unrecorded_node_waits() -> None:
    failed = NodeProgress(host="a", state=NodeState.FAILED)
    view = LedgerView(nodes=(failed,))
    assert view.of("a") is failed
    assert view.of("b") == NodeProgress(host="b", state=NodeState.WAITING)


def test_what_is_untouched() -> None:
    untouched = {s for s in NodeState if s.untouched}
    assert untouched == {NodeState.WAITING, NodeState.ADMITTED, NodeState.CHECKED}


def test_verdicts_read_as_one_line() -> None:
    assert str(BLOCKER) == "server web-1 (3f): no room -> make room [capacity]"
    assert str(NOTE) == "server web-1 (3f): locked [server_locked]"
    assert str(Subject(type=SubjectType.NODE, id="a")) == "node a"
    assert blockers((NOTE, BLOCKER)) == (BLOCKER,)


def test_a_drain_is_feasible_without_blockers() -> None:
    assert DrainPlan(host="a", verdicts=(NOTE,)).feasible
    assert not DrainPlan(host="a", verdicts=(NOTE, BLOCKER)).feasible


@pytest.mark.parametrize(
    ("remedy", "request_id", "text"),
    [
        (None, None, "it broke"),
        ("mend it", None, "it broke -> mend it"),
        ("mend it", "req-1", "it broke -> mend it [req-1]"),
    ],
)
def test_errors_say_message_remedy_and_request(remedy: str | None, request_id: str | None, text: str) -> None:
    assert str(EscalatorError("it broke", remedy=remedy, request_id=request_id)) == text


def test_an_infeasible_plan_carries_its_blockers() -> None:
    assert PlanInfeasibleError("no", blockers=[BLOCKER]).blockers == (BLOCKER,)


def test_the_target_of_a_bundle() -> None:
    bundle = Bundle(
        name="b",
        components=(Component(name="qemu", to="9.0"), Component(name="nova-compute", to="34.0.0")),
        mechanism=NoMechanism(),
    )
    assert bundle.target_version() == "34.0.0"
    assert bundle.target_version("qemu") == "9.0"
    assert bundle.target_version("libvirt") is None


def test_domains_and_hosts_of_an_inventory_are_sorted() -> None:
    nodes = tuple(
        InventoryNode(host=host, domain=domain, address="127.0.0.1")
        for host, domain in (("c", "d2"), ("b", "d1"), ("a", "d1"))
    )
    inventory = Inventory(cloud="lab", taken_at=datetime(2026, 1, 1, tzinfo=UTC), nodes=nodes)
    assert inventory.domains() == ("d1", "d2")
    assert inventory.hosts("d1") == ("a", "b")
    assert inventory.hosts("d3") == ()
