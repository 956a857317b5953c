from __future__ import annotations

from escalator.model.verdict import Code
from escalator.model.watchers import Recovery, StopSign, find_sign

SOME = StopSign(code=Code.RECOVERY_RUNS, message="of a segment", hosts=frozenset({"a"}))
ALL = StopSign(code=Code.WATCHER_SILENT, message="of all")


def test_a_sign_is_about_its_nodes_or_about_all() -> None:
    assert (SOME.concerns("a"), SOME.concerns("b"), ALL.concerns("b")) == (True, False, True)
    assert find_sign((SOME, ALL), "a") == SOME
    assert find_sign((SOME, ALL), "b") == ALL
    assert find_sign((SOME,), "b") is None


def test_a_recovery_says_which_it_is() -> None:
    told = Recovery(id="n1", status="new", type="VM")
    assert str(told) == "VM recovery, notification n1 is new"
    of = Recovery(id="n1", status="error", type="COMPUTE_HOST", source="node-1")
    assert str(of) == "COMPUTE_HOST recovery of node-1, notification n1 is error"
