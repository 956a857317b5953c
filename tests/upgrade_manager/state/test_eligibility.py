from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import BUNDLE, NOW, disabled, down, leased, make_cloud, make_node, make_plan

from escalator.model.campaign import LedgerView, UpgradeMode
from escalator.model.decisions import Admission
from escalator.model.lease import LeaseMark
from escalator.model.verdict import Code
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.upgrade import check_upgrade
from escalator.upgrade_manager.schedule.admission import decide_admissions
from escalator.upgrade_manager.schedule.planning import order_targets
from escalator.upgrade_manager.state.capacity import CapacityBook
from escalator.upgrade_manager.state.eligibility import find_bar

OTHERS = make_plan("a", campaign="other", run_id="other-run")
FREE = make_node("a")
STANDINGS = {
    "free": (FREE, None, False),
    "upgraded": (replace(FREE, upgraded=True), Code.ALREADY_UPGRADED, False),
    "upgraded and disabled": (disabled(replace(FREE, upgraded=True)), Code.DISABLED_BY_OTHERS, False),
    "disabled": (disabled(FREE), Code.DISABLED_BY_OTHERS, False),
    "disabled without a reason": (disabled(FREE, None), Code.DISABLED_BY_OTHERS, False),
    "disabled and down": (down(disabled(FREE)), Code.DISABLED_BY_OTHERS, False),
    "disabled by Nova": (disabled(FREE, "AUTO: Connection to libvirt lost: 1"), Code.DISABLED_BY_NOVA, False),
    "of a cell that nobody tells": (replace(FREE, cell="unknown"), Code.CELLS_UNKNOWN, False),
    "bare metal": (replace(FREE, hypervisor_type="ironic"), Code.NODE_BARE_METAL, False),
    "leased": (leased(FREE, OTHERS), Code.LEASED_BY_OTHERS, True),
    "leased and down": (down(leased(FREE, OTHERS)), Code.LEASED_BY_OTHERS, True),
    "left failed": (leased(FREE, OTHERS, LeaseMark.FAILED), Code.LEASED_BY_OTHERS, False),
    "left held": (leased(FREE, OTHERS, LeaseMark.HELD), Code.LEASED_BY_OTHERS, False),
    "down": (down(FREE), Code.NODE_DOWN, True),
    "forced down": (replace(FREE, forced_down=True), Code.NODE_DOWN, True),
}
every_standing = pytest.mark.parametrize("name", STANDINGS)


@every_standing
def test_why_a_node_may_not_be_touched(name: str) -> None:
    of, code, passing = STANDINGS[name]
    bar = find_bar("a", of)
    assert (bar.code if bar else None, bool(bar and bar.passing)) == (code, passing)


def test_an_unknown_node_is_barred() -> None:
    bar = find_bar("a", None)
    assert bar is not None
    assert (bar.code, bar.passing) == (Code.NODE_UNKNOWN, False)


@pytest.mark.parametrize("mark", [None, LeaseMark.HELD, LeaseMark.FAILED])
def test_its_own_node_is_never_barred(mark: LeaseMark | None) -> None:
    assert find_bar("a", down(leased(FREE, make_plan("a"), mark)), ours=True) is None


def test_a_bar_says_reason_and_remedy() -> None:
    bar = find_bar("a", disabled(FREE))
    assert bar is not None
    assert bar.sentence == (
        "somebody disabled the node with the reason 'broken fan': it stays as it is"
        " -> enable it before the start of a run that is to upgrade it"
    )
    assert str(bar.as_verdict()) == f"node a: {bar.sentence} [disabled_by_others]"


@every_standing
def test_everybody_who_asks_gets_the_same_answer(name: str) -> None:
    """The order of a plan, the admission and the check agree about every node."""
    of, code, _ = STANDINGS[name]
    snapshot = make_cloud([of, make_node("b"), make_node("c")])
    plan = make_plan("a", "b")
    order = order_targets(CapacityBook(snapshot, pending=("a", "b")), ("a", "b"), mode=UpgradeMode.SMOOTH)
    assert (order.barred["a"].code if "a" in order.barred else None) == code
    decision = decide_admissions(snapshot, plan, LedgerView(), NOW, asking=("a",))["a"]
    assert decision.code == (code or Code.ADMITTED)
    assert (decision.admission is Admission.ADMIT) == (code is None)
    question = ask(plan, snapshot, bundle=BUNDLE)
    assert ("a" in question.pending) == (code is None)
    if code not in {None, Code.ALREADY_UPGRADED, Code.NODE_DOWN}:
        said = {c.code: c.message for c in check_upgrade(question).conditions if c.subject.id == "a"}
        assert decision.message.startswith(said[code])
