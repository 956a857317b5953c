from __future__ import annotations

import threading
from functools import partial

from escalator.lab.processes import wait_until
from escalator.vim_interface.delivery.lanes import SLOTS, Lanes


def test_lane_that_hangs_holds_up_no_other_one() -> None:
    lanes, go, done = Lanes(), threading.Event(), threading.Event()
    for _ in range(5 * SLOTS):
        lanes.put("hangs", partial(go.wait, 60))
    lanes.put("other", done.set)
    assert done.wait(30)
    assert not lanes.wait(0.05)
    go.set()
    assert lanes.wait(30)


def test_lane_does_so_much_at_once_and_all_in_order() -> None:
    lanes, count = Lanes(), 20
    begun: list[int] = []
    may_end = [threading.Event() for _ in range(count)]

    def work(number: int) -> None:
        begun.append(number)
        may_end[number].wait(60)

    def have_begun(known: int) -> bool:
        return wait_until(lambda: len(begun) >= known, timeout_seconds=30)

    for number in range(count):
        lanes.put("one", partial(work, number))
    for number in range(count):
        known = min(number + SLOTS, count)
        assert have_begun(known)
        assert sorted(begun) == list(range(known))
        may_end[number].set()
    assert lanes.wait(30)


def test_work_that_fails_ends_nothing() -> None:
    lanes, done = Lanes(), threading.Event()

    def fail() -> None:
        raise ValueError("oh")

    for _ in range(3 * SLOTS):
        lanes.put("one", fail)
    lanes.put("one", done.set)
    assert done.wait(30)
    assert lanes.wait(30)


def test_threads_keep_no_process_alive() -> None:
    lanes, go = Lanes(), threading.Event()
    lanes.put("one", partial(go.wait, 60))
    threads = [thread for thread in threading.enumerate() if thread.name == "notices to one"]
    go.set()
    assert threads
    assert all(thread.daemon for thread in threads)
