from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from escalator.ledger.ledger import Ledger
from escalator.ledger.quota_book import QuotaBook
from escalator.model.quota import FrozenQuota

CORES = FrozenQuota(cloud="lab", project_id="p", name="cores", found=-1, set_to=4)
RAM = FrozenQuota(cloud="lab", project_id="p", name="ram", found=8192, set_to=2048)
ONE, TWO = ("lab", "p", "c-1", "r-1"), ("lab", "p", "c-2", "r-2")
WRITERS = 5


@pytest.fixture
def book(ledger: Ledger) -> QuotaBook:
    return ledger.quotas()


def test_what_was_found_first_stays(book: QuotaBook) -> None:
    assert book.freeze(*ONE, (RAM, CORES)) == (CORES, RAM)
    lower = FrozenQuota(cloud="lab", project_id="p", name="cores", found=4, set_to=3)
    assert book.freeze(*ONE, (lower,)) == (CORES, RAM)
    assert book.freeze(*TWO, ()) == (CORES, RAM)
    assert book.held_by("lab", "c-1", "r-1") == ("p",)
    assert book.held_by("other", "c-1", "r-1") == ()


def test_the_last_run_restores_and_then_nothing_is_left(book: QuotaBook) -> None:
    book.freeze(*ONE, (CORES,))
    book.freeze(*TWO, ())
    assert book.leave(*ONE) is None
    assert book.held_by("lab", "c-1", "r-1") == ()
    assert book.leave(*ONE) is None, "it was let go before"
    assert book.leave(*TWO) == (CORES,)
    assert book.leave(*TWO) == (CORES,), "a run that dies while it restores goes on"
    assert book.close(*TWO) == ()
    assert book.held_by("lab", "c-2", "r-2") == ()
    assert book.freeze(*ONE, (RAM,)) == (RAM,)


def test_run_that_comes_while_another_restores_gets_its_freeze(book: QuotaBook) -> None:
    book.freeze(*ONE, (CORES,))
    assert book.leave(*ONE) == (CORES,)
    book.freeze(*TWO, ())
    assert book.close(*ONE) == (CORES,), "freeze it again"
    assert book.leave(*TWO) == (CORES,)


def test_a_hold_comes_before_what_is_found(book: QuotaBook) -> None:
    book.freeze(*ONE, (CORES,))
    book.hold(*TWO)
    book.hold(*TWO)
    assert book.find_others(*ONE) == (("c-2", "r-2"),)
    assert book.leave(*ONE) is None
    assert book.frozen("lab", "p") == (CORES,)
    assert book.leave(*TWO) == (CORES,)


def test_a_run_that_is_over_is_let_go_by_the_next(book: QuotaBook) -> None:
    book.freeze(*ONE, (CORES,))
    book.freeze(*TWO, ())
    assert book.leave(*TWO, dead=[("c-1", "r-1")]) == (CORES,)
    assert book.held_by("lab", "c-1", "r-1") == ()
    assert book.close(*TWO) == ()
    assert book.frozen("lab", "p") == ()


def test_project_that_had_nothing_to_freeze_is_held_all_the_same(book: QuotaBook) -> None:
    assert book.freeze(*ONE, ()) == ()
    assert book.leave(*ONE) == ()
    assert book.close(*ONE) == ()


def test_of_runs_that_end_at_once_one_restores(book: QuotaBook) -> None:
    runs = [("lab", "p", "c", f"r-{n}") for n in range(WRITERS)]
    for run in runs:
        book.freeze(*run, (CORES,))
    barrier = Barrier(WRITERS)

    def leave(run: tuple[str, str, str, str]) -> object:
        barrier.wait()
        return book.leave(*run)

    with ThreadPoolExecutor(WRITERS) as pool:
        results = list(pool.map(leave, runs))
    assert sorted(map(str, results)) == sorted([str((CORES,)), *["None"] * (WRITERS - 1)])
