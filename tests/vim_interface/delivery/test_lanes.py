from __future__ import annotations

import threading
import time
from functools import partial

from escalator.vim_interface.delivery.lanes import SLOTS, Lanes


def test_lane_that_hangs_holds_up_no_other_one() -> None:
    lanes, go, done = Lanes(), threading.Event(), threading.Event()
    for _ in range(5 * SLOTS):
        lanes.put("hangs", partial(go.wait, 30))
    lanes.put("other", done.set)
    assert done.wait(5)
    assert not lanes.wait(0.05)
    go.set()
    assert lanes.wait(5)


def test_lane_does_so_much_at_once_and_all_in_order() -> None:
    lanes, lock = Lanes(), threading.Lock()
    begun: list[int] = []
    now, most = 0, 0

    def work(number: int) -> None:
        nonlocal now, most
        with lock:
            begun.append(number)
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1

    for number in range(20):
        lanes.put("one", partial(work, number))
    assert lanes.wait(5)
    assert most == SLOTS
    assert sorted(begun) == list(range(20))
    assert all(abs(place - number) < SLOTS for place, number in enumerate(begun))


def test_work_that_fails_ends_nothing() -> None:
    lanes, done = Lanes(), threading.Event()

    def fail() -> None:
        raise ValueError("oh")

    for _ in range(3 * SLOTS):
        lanes.put("one", fail)
    lanes.put("one", done.set)
    assert done.wait(5)
    assert lanes.wait(5)


def test_threads_keep_no_process_alive() -> None:
    lanes, go = Lanes(), threading.Event()
    lanes.put("one", partial(go.wait, 30))
    threads = [thread for thread in threading.enumerate() if thread.name == "notices to one"]
    go.set()
    assert threads
    assert all(thread.daemon for thread in threads)
