from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from tests.builders import NOW, make_switch

from escalator.ledger.ledger import Ledger
from escalator.ledger.switch_book import SwitchBook
from escalator.model.errors import InvalidRequestError, NotFoundError
from escalator.model.switch import SwitchMethod, SwitchRecord

SWITCH = make_switch(
    campaign="upgrade__lab",
    run_id="run-1",
    from_server="s1",
    found={"pool": "p1", "member": "m1", "weight": 3, "backup": False, "monitor": None},
)
LATER = NOW + timedelta(seconds=20)
DONE = replace(SWITCH, ended_at=LATER, verified=True, message="member m1 has weight 0", to_server="s2")
WRITERS = 6


@pytest.fixture
def book(ledger: Ledger) -> SwitchBook:
    return ledger.switches()


def of_run(book: SwitchBook) -> tuple[SwitchRecord, ...]:
    return book.of_run("upgrade__lab", "run-1")


def test_what_was_found_is_there_before_the_act(book: SwitchBook) -> None:
    assert book.begin(SWITCH) == SWITCH
    assert of_run(book) == (SWITCH,)
    assert book.of_run("upgrade__lab", "run-2") == ()


def test_a_second_begin_finds_the_cloud_as_it_was_before_the_first(book: SwitchBook) -> None:
    book.begin(SWITCH)
    again = replace(SWITCH, begun_at=LATER, found={"weight": 0}, to_server="s3")
    assert book.begin(again) == SWITCH
    book.end(DONE)
    assert book.begin(again) == DONE
    assert of_run(book) == (DONE,)


def test_an_end_says_how_and_keeps_what_was_found(book: SwitchBook) -> None:
    book.begin(SWITCH)
    book.end(replace(DONE, begun_at=LATER, found={}))
    assert of_run(book) == (DONE,)
    failed = replace(DONE, verified=False, message="the role is still there")
    book.end(failed)
    assert of_run(book) == (failed,)


def test_what_is_restored_stays_so_and_the_next_switchover_is_another_one(book: SwitchBook) -> None:
    book.begin(SWITCH)
    book.end(DONE)
    book.mark_restored(DONE, LATER)
    book.mark_restored(DONE, LATER + timedelta(hours=1))
    restored = replace(DONE, restored_at=LATER)
    assert of_run(book) == (restored,)
    again = replace(SWITCH, begun_at=LATER, found={"weight": 5})
    assert book.begin(again) == again
    book.end(replace(again, ended_at=LATER, message="gave up"))
    assert of_run(book) == (restored, replace(again, ended_at=LATER, message="gave up"))


def test_what_a_manager_did_is_noted_once_for_each_time_that_it_says_so(book: SwitchBook) -> None:
    told = replace(DONE, method=SwitchMethod.VNFM)
    assert book.note(told, NOW)
    assert not book.note(replace(told, ended_at=LATER + timedelta(hours=1)), NOW)
    assert of_run(book) == (told,)
    again = replace(told, begun_at=LATER, ended_at=LATER + timedelta(hours=2))
    assert book.note(again, LATER + timedelta(seconds=1))
    assert of_run(book) == (told, again)


def test_why_it_is_not_restored_is_kept_until_it_is(book: SwitchBook) -> None:
    book.begin(SWITCH)
    book.note_not_restored(SWITCH, ("busy",))
    book.note_not_restored(SWITCH, ("in ERROR",))
    assert of_run(book) == (replace(SWITCH, not_restored=("in ERROR",)),)
    book.mark_restored(SWITCH, LATER, ("that stays",))
    book.note_not_restored(SWITCH, ("too late",))
    assert of_run(book) == (replace(SWITCH, restored_at=LATER, not_restored=("that stays",)),)


@pytest.mark.parametrize(
    "change", [{"run_id": "run-2"}, {"host": "node-02"}, {"group": "db"}, {"from_server": "s9"}]
)
def test_what_was_never_begun_has_no_end(book: SwitchBook, change: dict[str, str]) -> None:
    other = replace(DONE, **change)  # type: ignore[arg-type]
    book.begin(SWITCH)
    for act in (
        lambda: book.end(other),
        lambda: book.mark_restored(other, NOW),
        lambda: book.note_not_restored(other, ("why",)),
    ):
        with pytest.raises(NotFoundError, match=other.from_server):
            act()
    assert of_run(book) == (SWITCH,)
    assert book.begin(replace(SWITCH, **change)) == replace(SWITCH, **change)  # type: ignore[arg-type]


def test_of_many_that_begin_at_once_all_go_on_with_the_same(book: SwitchBook, ledger: Ledger) -> None:
    barrier = Barrier(WRITERS, timeout=60)

    def begin(weight: int) -> SwitchRecord:
        barrier.wait()
        return ledger.switches().begin(replace(SWITCH, found={"weight": weight}))

    with ThreadPoolExecutor(WRITERS) as pool:
        given = list(pool.map(begin, range(WRITERS)))
    assert of_run(book) == (given[0],)
    assert given == [given[0]] * WRITERS


def test_what_json_cannot_hold_is_refused_before_the_act(book: SwitchBook) -> None:
    with pytest.raises(InvalidRequestError):
        book.begin(replace(SWITCH, found={"answer": b"bytes"}))
    assert of_run(book) == ()
