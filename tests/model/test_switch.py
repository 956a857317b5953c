from __future__ import annotations

from dataclasses import replace

from tests.builders import NOW

from escalator.model.switch import SwitchRecord

RECORD = SwitchRecord(
    campaign="c",
    run_id="r",
    host="node-01",
    group="pair",
    method="floating-ip",
    from_server="a",
    to_server="b",
    begun_at=NOW,
)


def test_a_second_attempt_is_the_same_switchover_whoever_was_to_take_over() -> None:
    assert replace(RECORD, to_server="c", method="http").key == RECORD.key


def test_another_run_node_group_or_server_is_another_one() -> None:
    others = [{"campaign": "x"}, {"run_id": "x"}, {"host": "x"}, {"group": "x"}, {"from_server": "x"}]
    assert len({RECORD.key, *(replace(RECORD, **other).key for other in others)}) == 6
