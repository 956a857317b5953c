from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.builders import NOW, make_plan
from tests.events.hearing import Heard

from escalator.events.teller import Teller
from escalator.events.told_switches import ToldSwitchBook
from escalator.ledger.ledger import Ledger
from escalator.model.switch import SwitchMethod, SwitchRecord


def test_switchover_is_told_from_its_begin_to_its_restore(tmp_path: Path) -> None:
    plan, heard = make_plan("node-01"), Heard()
    ledger = Ledger.create_or_upgrade(f"sqlite:///{tmp_path}/ledger.db")
    book = ledger.open(lambda database: ToldSwitchBook(database, Teller.of_plan(plan, [heard])))
    record = SwitchRecord(
        campaign=plan.campaign,
        run_id=plan.run_id,
        host="node-01",
        group="sbc",
        method=SwitchMethod.HTTP,
        from_server="a",
        to_server=None,
        begun_at=NOW,
    )
    begun = book.begin(record)
    book.begin(replace(record, begun_at=NOW + timedelta(seconds=5)))  # killed, and run again
    book.end(replace(begun, to_server="b", verified=True, ended_at=NOW + timedelta(seconds=2)))
    book.mark_restored(begun, NOW + timedelta(minutes=5))
    assert heard.lines("action", "object_id", "result", "seconds") == [
        ("switch", "sbc", "begun", None),
        ("switch", "sbc", "verified", 2.0),
        ("switch", "sbc", "restored", None),
    ]
