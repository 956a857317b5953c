"""Notices in many hands at once: none is sent twice, no number is given twice, no reply is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

from tests.builders import NOW
from tests.ledger.notices import ACK, PLANNED, SESSION
from tests.ledger.test_concurrency import child, output

from escalator.ledger.ledger import Ledger
from escalator.ledger.notice_book import NoticeBook
from escalator.model.notice import Notice, ReplyOutcome

PROCESSES, NOTICES = 3, 24
PREPARE = """
import os, sys, time
from dataclasses import replace
from escalator.ledger.ledger import Ledger
from tests.builders import NOW
from tests.ledger.notices import PLANNED, SESSION
book = Ledger(sys.argv[1]).notices()
print("ready", flush=True)
while not os.path.exists(sys.argv[2]):
    time.sleep(0.005)
"""
QUEUE = (
    PREPARE
    + """
own = sys.argv[3]
for number in range(5):
    shared = replace(PLANNED, project_id=f"shared-{number}")
    mine = replace(PLANNED, project_id=f"{own}-{number}")
    book.queue([shared, mine] if int(own) % 2 else [mine, shared], NOW)
"""
)
CLAIM = (
    PREPARE
    + """
while found := book.claim_due(SESSION.id, NOW, lease_seconds=600, limit=2):
    for record in found:
        print(record.number)
"""
)


def run_at_once(program: str, url: str, gate: Path) -> list[str]:
    """Run processes that begin their work at the same moment; return what each says."""
    started = [child(program, url, str(gate), str(own)) for own in range(PROCESSES)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    gate.touch()
    return [output(process) for process in started]


def make_notices(count: int) -> list[Notice]:
    return [replace(PLANNED, project_id=str(number)) for number in range(count)]


def test_processes_that_queue_at_once_number_each_notice_once(
    book: NoticeBook, url: str, tmp_path: Path
) -> None:
    run_at_once(QUEUE, url, tmp_path / "gate")
    records = book.find(SESSION.id)
    assert [record.number for record in records] == list(range(1, 5 * (PROCESSES + 1) + 1))
    assert len({record.notice.key for record in records}) == len(records)


def test_processes_that_claim_at_once_get_different_notices(
    book: NoticeBook, url: str, tmp_path: Path
) -> None:
    book.queue(make_notices(NOTICES), NOW)
    given = [[int(line) for line in said.splitlines()] for said in run_at_once(CLAIM, url, tmp_path / "gate")]
    assert sorted(number for mine in given for number in mine) == list(range(1, NOTICES + 1))
    assert {record.tries for record in book.find(SESSION.id)} == {1}


def test_a_reply_that_meets_the_deadline_is_taken_or_late_and_never_lost(
    book: NoticeBook, ledger: Ledger
) -> None:
    records = book.queue(make_notices(NOTICES), NOW)
    barrier = Barrier(2, timeout=60)

    def answer() -> list[ReplyOutcome]:
        mine, outcomes = ledger.notices(), []
        for record in records:
            barrier.wait()
            outcomes.append(mine.record_reply(SESSION.id, record.notice.project_id, ACK, NOW))
        return outcomes

    def close() -> list[bool]:
        mine, kept = ledger.notices(), []
        for record in records:
            barrier.wait()
            kept.append(mine.close([record.id], NOW)[0].reply is not None)
        return kept

    with ThreadPoolExecutor(2) as pool:
        answering, closing = pool.submit(answer), pool.submit(close)
        seen = list(zip(answering.result(), closing.result(), book.find(SESSION.id), strict=True))
    assert {(outcome, kept) for outcome, kept, _ in seen} <= {
        (ReplyOutcome.TAKEN, True),
        (ReplyOutcome.LATE, False),
    }
    for _, kept, record in seen:
        assert (record.reply is not None, record.closed_at is None) == (kept, kept)


def test_replies_at_once_are_taken_once(book: NoticeBook, ledger: Ledger) -> None:
    book.queue(make_notices(NOTICES), NOW)
    barrier = Barrier(PROCESSES, timeout=60)

    def answer(own: int) -> list[Any]:
        mine, outcomes = ledger.notices(), []
        reply = replace(ACK, ack=own > 0)
        for number in range(NOTICES):
            barrier.wait()
            outcomes.append((mine.record_reply(SESSION.id, str(number), reply, NOW), reply))
        return outcomes

    with ThreadPoolExecutor(PROCESSES) as pool:
        answers = zip(*pool.map(answer, range(PROCESSES)), strict=True)
        for record, given in zip(book.find(SESSION.id), list(answers), strict=True):
            taken = [reply for outcome, reply in given if outcome is ReplyOutcome.TAKEN]
            assert taken == [record.reply]
            for outcome, reply in given:
                if outcome is not ReplyOutcome.TAKEN:
                    same = reply == record.reply
                    assert outcome is (ReplyOutcome.REPEATED if same else ReplyOutcome.CONTRADICTED)


def test_of_runs_that_end_at_once_one_sees_all_others(book: NoticeBook, ledger: Ledger) -> None:
    runs = tuple((f"upgrade__lab__{n}", "run-1") for n in range(PROCESSES))
    book.open_session(replace(SESSION, runs=runs))
    barrier = Barrier(PROCESSES, timeout=60)

    def end(run: tuple[str, str]) -> int:
        mine = ledger.notices()
        barrier.wait()
        session = mine.end_run(SESSION.id, run, failed=False)
        assert session is not None
        return len(session.ended)

    with ThreadPoolExecutor(PROCESSES) as pool:
        assert sorted(pool.map(end, runs)) == list(range(1, PROCESSES + 1))
