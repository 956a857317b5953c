from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalator.lab.virt.copying import CopyOutcome, MemoryCopy
from escalator.lab.virt.faults import MigrationFault, MigrationOrder, NodeFaults
from escalator.lab.virt.guests import EventLog, Guest, GuestBook

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = st.floats(min_value=0.0, max_value=1e6)


def guest(uuid: str, state: int = 1) -> Guest:
    return Guest(name=f"instance-{uuid}", uuid=uuid, state=state)


def test_guests_outlive_the_book_that_wrote_them(tmp_path: Path) -> None:
    first = GuestBook(tmp_path)
    first["a"], first["b"] = guest("a"), guest("b", 4)
    first.set_state("a", 3)
    del first["b"]
    second = GuestBook(tmp_path)
    assert dict(second) == {"a": guest("a", 3)}
    with pytest.raises(KeyError):
        second.set_state("b", 1)


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    def fill(letter: str) -> None:
        book = GuestBook(tmp_path)
        for number in range(20):
            book[f"{letter}{number}"] = guest(f"{letter}{number}")

    writers = [threading.Thread(target=fill, args=(letter,)) for letter in "xyz"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(GuestBook(tmp_path)) == 60


def test_events_are_lines_with_a_time(tmp_path: Path) -> None:
    log = EventLog(folder=tmp_path, host="node-01")
    log.write("paused", guest="u", name="web-01", dest="node-02")
    log.write("resumed", guest="u", name="web-01", dest="node-02")
    lines = [json.loads(line) for line in (tmp_path / "guest-events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["paused", "resumed"]
    assert lines[0]["t"] <= lines[1]["t"]
    assert {key: lines[0][key] for key in ("host", "guest", "name", "dest")} == {
        "host": "node-01",
        "guest": "u",
        "name": "web-01",
        "dest": "node-02",
    }


def test_without_orders_nothing_goes_wrong(tmp_path: Path) -> None:
    faults = NodeFaults(folder=tmp_path)
    assert faults.migration_order({}) == MigrationOrder()
    assert faults.hypervisor_version() is None
    assert not faults.refuses_start("34.0.0")
    faults.clear()


def test_the_server_goes_before_the_node(tmp_path: Path) -> None:
    faults = NodeFaults(folder=tmp_path)
    faults.merge({"migrate": {"kind": "hang", "seconds": 9}})
    assert faults.migration_order({}) == MigrationOrder(
        fault=MigrationFault.HANG, seconds=9.0, from_node=True
    )
    own = faults.migration_order({"lab_migrate": "fail", "lab_migrate_seconds": "2"})
    assert own == MigrationOrder(fault=MigrationFault.FAIL, seconds=2.0, from_node=False)


def test_a_fault_for_once_is_gone_after_it_struck_and_others_stay(tmp_path: Path) -> None:
    faults = NodeFaults(folder=tmp_path)
    faults.merge({"migrate": {"kind": "fail", "once": True}, "hypervisor_version": 9001000})
    order = faults.migration_order({})
    faults.strike(order)
    assert faults.migration_order({}).fault is MigrationFault.NONE
    assert faults.hypervisor_version() == 9001000
    faults.merge({"migrate": {"kind": "fail"}, "hypervisor_version": None})
    faults.strike(faults.migration_order({}))
    assert faults.migration_order({}).fault is MigrationFault.FAIL
    assert faults.hypervisor_version() is None


def test_a_fault_of_the_server_does_not_use_up_that_of_the_node(tmp_path: Path) -> None:
    faults = NodeFaults(folder=tmp_path)
    faults.merge({"migrate": {"kind": "fail", "once": True}})
    faults.strike(faults.migration_order({"lab_migrate": "hang"}))
    assert faults.migration_order({}).fault is MigrationFault.FAIL


def test_only_the_named_release_refuses_to_start(tmp_path: Path) -> None:
    faults = NodeFaults(folder=tmp_path)
    faults.merge({"refuse_start_release": {"release": "34.0.0", "once": True}})
    assert not faults.refuses_start("33.0.2")
    assert faults.refuses_start("34.0.0")
    assert not faults.refuses_start("34.0.0")


def copy_of(order: MigrationOrder, memory_mib: int = 2048) -> MemoryCopy:
    return MemoryCopy(memory_mib=memory_mib, bandwidth_mib_per_second=1024, order=order)


def test_memory_over_bandwidth_is_time() -> None:
    copy = copy_of(MigrationOrder())
    assert copy.seconds == 2.0
    assert copy.outcome_at(1.99) is CopyOutcome.RUNNING
    assert copy.outcome_at(2.0) is CopyOutcome.DONE
    assert copy_of(MigrationOrder(seconds=0.0)).outcome_at(0.0) is CopyOutcome.DONE


@pytest.mark.parametrize(
    ("fault", "elapsed", "outcome"),
    [
        (MigrationFault.FAIL, 0.9, CopyOutcome.RUNNING),
        (MigrationFault.FAIL, 1.1, CopyOutcome.FAILED),
        (MigrationFault.DIE, 0.7, CopyOutcome.DIED),
        (MigrationFault.HANG, 1e6, CopyOutcome.RUNNING),
    ],
)
def test_faults_strike_when_they_should(fault: MigrationFault, elapsed: float, outcome: CopyOutcome) -> None:
    assert copy_of(MigrationOrder(fault=fault)).outcome_at(elapsed) is outcome


@given(SECONDS, SECONDS, st.sampled_from(MigrationFault))
def test_progress_never_runs_backwards(one: float, other: float, fault: MigrationFault) -> None:
    copy = copy_of(MigrationOrder(fault=fault))
    early, late = sorted((one, other))
    assert 0.0 <= copy.fraction_at(early) <= copy.fraction_at(late) <= 1.0


@given(SECONDS)
def test_a_hanging_copy_is_never_done(elapsed: float) -> None:
    copy = copy_of(MigrationOrder(fault=MigrationFault.HANG))
    assert copy.fraction_at(elapsed) < 1.0
    assert copy.outcome_at(elapsed) is CopyOutcome.RUNNING
