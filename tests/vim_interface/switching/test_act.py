from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.builders import NOW
from tests.vim_interface.switching.fakes import FakeBook, FakeClock, FakeSwitcher, KilledError

from escalator.ledger.ledger import Ledger
from escalator.model.errors import (
    EscalatorError,
    InvalidRequestError,
    NodeFaultError,
    SupersededError,
    TransientError,
)
from escalator.model.switch import SwitchMethod
from escalator.vim_interface.switching import SwitchOrder, SwitchOutcome, SwitchResult, switch_over
from escalator.vim_interface.switching.act import SwitchBookSide
from escalator.vim_interface.switching.restore import restore_switches

ORDER = SwitchOrder(
    campaign="c", run_id="r", host="node-01", group="pair", from_server="a", to_server="b", limit_seconds=10
)


def run(
    switcher: FakeSwitcher, book: SwitchBookSide, clock: FakeClock | None = None, **more: Any
) -> SwitchResult:
    clock = clock or FakeClock()
    order = replace(ORDER, **more.pop("order", {}))
    return switch_over(switcher, book, order, clock=clock, sleep=clock.sleep, **more)


def test_a_switchover_is_written_down_done_seen_and_finished() -> None:
    switcher, book, clock = FakeSwitcher(looks_until_done=3), FakeBook(), FakeClock()
    result = run(switcher, book, clock)
    assert (result.outcome, switcher.acts, len(switcher.finished)) == (SwitchOutcome.SWITCHED, ["b"], 1)
    (record,) = book.of_run("c", "r")
    assert result.record == record
    assert (record.verified, record.method, record.found) == (
        True,
        SwitchMethod.HTTP,
        {"weights": {"pool": {"a": 1}}},
    )
    assert record.begun_at == NOW
    assert record.ended_at == clock.now
    assert (clock.now - NOW).total_seconds() < 1, "what the VNF needs is not waited for twice"


def test_a_second_run_switches_nothing() -> None:
    switcher, book = FakeSwitcher(), FakeBook()
    run(switcher, book)
    assert run(switcher, book).outcome is SwitchOutcome.SWITCHED
    assert switcher.acts == ["b"]


def test_service_that_is_away_already_is_left_alone_and_nothing_is_written_down() -> None:
    switcher, book = FakeSwitcher(holder="b"), FakeBook()
    assert run(switcher, book).outcome is SwitchOutcome.AWAY
    assert (switcher.acts, book.records) == ([], [])


@pytest.mark.parametrize("repeatable", [True, False])
def test_killed_right_before_the_act_the_second_run_does_it(*, repeatable: bool) -> None:
    book = FakeBook()
    killed = FakeSwitcher(obeys=False, trouble=KilledError(), repeatable=repeatable)
    with pytest.raises(KilledError):
        run(killed, book)
    assert [r.ended_at for r in book.of_run("c", "r")] == [None]
    second = FakeSwitcher(repeatable=repeatable)
    assert run(second, book).outcome is SwitchOutcome.SWITCHED
    assert second.acts == ["b"]


@pytest.mark.parametrize("repeatable", [True, False])
def test_killed_right_after_the_act_the_second_run_finds_it_done(*, repeatable: bool) -> None:
    book = FakeBook()
    with pytest.raises(KilledError):
        run(FakeSwitcher(trouble=KilledError()), book)
    second = FakeSwitcher(holder="b", repeatable=repeatable)
    assert run(second, book).outcome is SwitchOutcome.SWITCHED
    assert (second.acts, len(second.finished)) == ([], 1)
    assert [r.verified for r in book.of_run("c", "r")] == [True]


def test_killed_while_the_vnf_still_switches_it_is_not_told_again() -> None:
    book = FakeBook()
    with pytest.raises(KilledError):
        run(FakeSwitcher(trouble=KilledError()), book)
    slow = FakeSwitcher(looks_until_done=5)
    slow._target = "b"
    assert run(slow, book).outcome is SwitchOutcome.SWITCHED
    assert slow.acts == []


def test_where_nothing_can_be_seen_an_act_that_may_be_done_is_not_repeated() -> None:
    book, clock = FakeBook(), FakeClock()
    with pytest.raises(KilledError):
        run(FakeSwitcher(blind=True, trouble=KilledError()), book)
    second = FakeSwitcher(blind=True)
    assert run(second, book, clock).outcome is SwitchOutcome.UNSEEN
    assert run(second, book, clock).outcome is SwitchOutcome.UNSEEN
    assert (second.acts, clock.now) == ([], NOW)


def test_blind_means_are_tried_once_where_the_server_is_said_to_be_active() -> None:
    switcher, book, clock = FakeSwitcher(blind=True), FakeBook(), FakeClock()
    assert run(switcher, book, clock, order={"is_active": False}).outcome is SwitchOutcome.UNSEEN
    assert switcher.acts == []
    assert run(switcher, book, clock).outcome is SwitchOutcome.UNSEEN
    assert switcher.acts == ["b"]
    assert clock.now == NOW, "there is nothing to look for"
    assert [r.verified for r in book.of_run("c", "r")] == [False]


def test_vnf_that_says_yes_and_does_nothing_has_failed_at_the_limit() -> None:
    switcher, book, clock = FakeSwitcher(obeys=False), FakeBook(), FakeClock()
    result = run(switcher, book, clock)
    assert (result.outcome, result.words) == (SwitchOutcome.FAILED, "a has it")
    assert 10 <= (clock.now - NOW).total_seconds() < 12
    assert switcher.finished == []


def test_after_a_failure_it_may_be_tried_again_with_another_standby_and_the_first_state() -> None:
    book = FakeBook()
    run(FakeSwitcher(obeys=False), book)
    second = FakeSwitcher()
    assert run(second, book, order={"to_server": "c"}).outcome is SwitchOutcome.SWITCHED
    assert second.acts == ["c"]
    assert [(r.to_server, r.verified, r.found) for r in book.of_run("c", "r")] == [
        ("c", True, {"weights": {"pool": {"a": 1}}})
    ]


def test_service_that_comes_back_is_not_switched_a_second_time() -> None:
    switcher, book = FakeSwitcher(), FakeBook()
    run(switcher, book)
    switcher.holder = "a"
    result = run(switcher, book)
    assert result.outcome is SwitchOutcome.FAILED
    assert "has come back" in result.words
    assert switcher.acts == ["b"]


def test_lost_answer_is_looked_after_and_a_refusal_is_not() -> None:
    clock = FakeClock()
    lost = FakeSwitcher(trouble=TransientError("no answer"), looks_until_done=2)
    assert run(lost, FakeBook(), clock).outcome is SwitchOutcome.SWITCHED
    clock = FakeClock()
    refused = FakeSwitcher(trouble=NodeFaultError("HTTP 503"), obeys=False)
    result = run(refused, FakeBook(), clock)
    assert (result.outcome, clock.now) == (SwitchOutcome.FAILED, NOW)
    assert "HTTP 503" in result.words


def test_what_cannot_be_done_is_not_written_down() -> None:
    class Unfit(FakeSwitcher):
        def find_state(self, from_server: str, to_server: str | None) -> Any:
            raise InvalidRequestError(f"{to_server} cannot take over from {from_server}")

    switcher, book = Unfit(), FakeBook()
    result = run(switcher, book)
    assert (result.outcome, switcher.acts, book.records) == (SwitchOutcome.FAILED, [], [])
    assert "b cannot take over" in result.words


def test_cloud_without_the_service_is_a_failure_in_words_and_one_that_is_away_an_error() -> None:
    class Absent(FakeSwitcher):
        def find_role(self) -> Any:
            raise self.trouble or ValueError

    absent = Absent(trouble=InvalidRequestError("the cloud has no load balancers"))
    assert run(absent, FakeBook()).outcome is SwitchOutcome.FAILED
    with pytest.raises(TransientError):
        run(Absent(trouble=TransientError("503")), FakeBook())


def test_node_that_is_not_ours_any_more_is_not_switched() -> None:
    def lost() -> None:
        raise SupersededError("a newer attempt has begun")

    switcher, book = FakeSwitcher(), FakeBook()
    with pytest.raises(SupersededError):
        run(switcher, book, before_act=lost)
    assert (switcher.acts, book.records) == ([], [])


def test_what_was_changed_is_restored_once() -> None:
    switcher, book, clock = FakeSwitcher(), FakeBook(), FakeClock()
    run(switcher, book)

    def restore(means: FakeSwitcher | None, host: str = "node-01") -> tuple[str, ...]:
        return restore_switches(book, "c", "r", host, switcher_of=lambda _: means, clock=clock)

    assert restore(switcher, "node-02") == ()
    (words,) = restore(None)
    assert "the VNF file has no switchover by http any more" in words
    assert restore(FakeSwitcher(method=SwitchMethod.COMMAND)) == (words,)
    assert restore(switcher) == ("group pair: pair is not as it was",)
    assert restore(switcher) == ()
    assert [r.restored_at for r in book.of_run("c", "r")] == [NOW]


def test_what_a_manager_did_is_its_own_to_restore() -> None:
    book = FakeBook()
    run(FakeSwitcher(method=SwitchMethod.VNFM), book)
    with_means = FakeSwitcher(method=SwitchMethod.VNFM)
    assert restore_switches(book, "c", "r", "node-01", switcher_of=lambda _: with_means) == ()
    assert [r.restored_at for r in book.of_run("c", "r")] == [None]


def test_of_a_switchover_that_failed_nobody_took_the_service() -> None:
    book = FakeBook()
    run(FakeSwitcher(obeys=False), book)
    (record,) = book.of_run("c", "r")
    assert (record.to_server, record.changed_active) == (None, False)


@pytest.mark.parametrize("trouble", [NodeFaultError("member m is in ERROR"), TransientError("503")])
def test_one_that_cannot_be_restored_keeps_no_other_from_it(trouble: EscalatorError) -> None:
    book, clock = FakeBook(), FakeClock()
    for group in ("first", "second"):
        run(FakeSwitcher(), book, clock, order={"group": group})
    switchers = {"first": FakeSwitcher(restoring=trouble), "second": FakeSwitcher()}

    def restore() -> tuple[str, ...]:
        return restore_switches(
            book, "c", "r", "node-01", switcher_of=lambda record: switchers[record.group], clock=clock
        )

    if isinstance(trouble, TransientError):
        with pytest.raises(TransientError):
            restore()
    else:
        assert restore() == ("group first: member m is in ERROR", "group second: second is not as it was")
    first, second = book.of_run("c", "r")
    assert (first.restored_at, first.not_restored) == (None, (str(trouble),))
    assert second.not_restored == ("second is not as it was",)
    assert second.restored_at is not None
    switchers["first"].restoring = None
    assert restore() == ("group first: first is not as it was",)


def test_node_that_comes_a_second_time_is_switched_a_second_time() -> None:
    """It was given back, and the service with it: that is no service that comes back by itself."""
    book, clock = FakeBook(), FakeClock()
    run(FakeSwitcher(), book, clock)
    restore_switches(book, "c", "r", "node-01", switcher_of=lambda _: FakeSwitcher(), clock=clock)
    second = FakeSwitcher()
    assert run(second, book, clock).outcome is SwitchOutcome.SWITCHED
    assert (second.acts, len(book.of_run("c", "r"))) == (["b"], 2)


def test_the_ledgers_book_does_the_same(tmp_path: Path) -> None:
    book = Ledger.create_or_upgrade(f"sqlite:///{tmp_path}/ledger.db").switches()
    clock = FakeClock()
    with pytest.raises(KilledError):
        run(FakeSwitcher(obeys=False, trouble=KilledError()), book, clock)
    failed = FakeSwitcher(obeys=False)
    assert run(failed, book, clock).outcome is SwitchOutcome.FAILED
    second = FakeSwitcher()
    result = run(second, book, clock, order={"to_server": "c"})
    assert (result.outcome, second.acts) == (SwitchOutcome.SWITCHED, ["c"])
    assert run(second, book, clock).outcome is SwitchOutcome.SWITCHED
    (record,) = book.of_run("c", "r")
    assert (record.to_server, record.verified, record.found) == ("c", True, {"weights": {"pool": {"a": 1}}})
    restore_switches(book, "c", "r", "node-01", switcher_of=lambda _: FakeSwitcher(), clock=clock)
    run(FakeSwitcher(), book, clock)
    assert [r.restored_at is None for r in book.of_run("c", "r")] == [False, True]
