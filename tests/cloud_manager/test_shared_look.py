from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from escalator.cloud_manager.shared_look import SharedLook


def test_who_asks_while_a_look_is_taken_takes_its_result_only_when_old_enough_a_one_will_do() -> None:
    count, gate = itertools.count(1), threading.Event()

    def look() -> int:
        gate.wait(60)
        return next(count)

    shared = SharedLook(look)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(shared.get)
        while not shared._lock.locked():
            pass
        patient, exacting = pool.submit(shared.get, 60.0), pool.submit(shared.get)
        gate.set()
        assert (first.result(), patient.result()) == (1, min(patient.result(), 2))
        assert exacting.result() == 2
    assert shared.get(60.0) == 2
    assert shared.get() == 3


def test_a_look_that_fails_leaves_the_one_before() -> None:
    answers = iter((1,))
    shared = SharedLook(lambda: next(answers))
    assert shared.get() == 1
    with pytest.raises(StopIteration):
        shared.get()
    assert shared.get(60.0) == 1
