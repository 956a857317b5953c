from __future__ import annotations

from typing import Any

import pytest
from tests.builders import NOW, make_switch

from escalator.model.switch import SwitchMethod


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
    record = make_switch(method=SwitchMethod.VNFM, **fields)
    assert record.changed_active is changed


WEIGHTS = {"weights": {"pool": {"member": 5}}}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"found": WEIGHTS}, True),
        ({"found": WEIGHTS, "restored_at": NOW}, False),
        ({"found": {"weights": {}}}, False),
        ({"found": {"address": "192.0.2.1", "from_had": True, "to_had": True}}, True),
        ({"found": {"address": "192.0.2.1", "from_had": True, "to_had": False}}, False),
        ({}, False),
    ],
)
def test_what_is_to_be_restored(fields: dict[str, Any], *, wanted: bool) -> None:
    record = make_switch(**fields)
    assert record.is_to_restore is wanted
