from __future__ import annotations

from typing import Any

import pytest
from tests.builders import NOW

from escalator.model.switch import SwitchMethod, SwitchRecord


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"to_server": "b", "ended_at": NOW, "verified": True}, True),
        ({"to_server": "b", "ended_at": NOW}, True),  # believed
        ({"to_server": "b"}, False),  # begun
        ({"to_server": None, "ended_at": NOW}, False),  # nobody took it over
        ({"to_server": None, "ended_at": NOW, "verified": True}, False),  # the others share it
    ],
)
def test_another_member_is_active_only_after_a_switchover_that_ended_with_it(
    fields: dict[str, Any], *, changed: bool
) -> None:
    record = SwitchRecord(
        campaign="c",
        run_id="r",
        host="n",
        group="g",
        method=SwitchMethod.VNFM,
        from_server="a",
        begun_at=NOW,
        **fields,
    )
    assert record.changed_active is changed
