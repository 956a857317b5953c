from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders import NOW
from tests.ledger.test_backup_book import ONE

from escalator.backups.retention import find_old_backups
from escalator.model.errors import InvalidRequestError

RECORDS = [
    replace(ONE, id=f"{host}-{day}", host=host, run_id=f"run-{day}", taken_at=NOW + timedelta(days=day))
    for host in ("node-01", "node-02")
    for day in range(4)
]


def test_the_newest_of_each_node_stay_and_what_a_run_needs() -> None:
    def need(_campaign: str, run_id: str) -> str:
        return "it is not over" if run_id == "run-0" else ""

    found = find_old_backups([*RECORDS, replace(ONE, id="cloud", host="")], 2, need)
    assert [(old.record.id, old.needed) for old in found] == [
        ("node-01-0", "it is not over"),
        ("node-02-0", "it is not over"),
        ("node-01-1", ""),
        ("node-02-1", ""),
    ]


@pytest.mark.parametrize("keep", [0, -1, 10_000_000])
def test_the_last_one_is_never_asked_for(keep: int) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be kept"):
        find_old_backups(RECORDS, keep, lambda *_: "")
