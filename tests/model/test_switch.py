from __future__ import annotations

from typing import Any

import pytest
from tests.builders import NOW

from escalator.model.switch import SwitchMethod, SwitchRecord

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
    record = SwitchRecord(
        campaign="c",
        run_id="r",
        host="node-01",
        group="g",
        method=SwitchMethod.OCTAVIA,
        from_server="a",
        to_server=None,
        begun_at=NOW,
        **fields,
    )
    assert record.is_to_restore is wanted
