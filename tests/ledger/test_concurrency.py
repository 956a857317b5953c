"""Many writers at once, and writers that are killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from escalator.ledger.database import Database, parse_url
from escalator.ledger.ledger import Ledger
from escalator.ledger.rows import lock_node
from escalator.ledger.run import CampaignRun
from escalator.model.campaign import NodeState, Step

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
RUN = ("upgrade__lab", "run-1")
HOST = "node-01"
WRITERS, ATTEMPTS = 8, 6

HOLD = """
import sys, time
from escalator.ledger.database import Database, parse_url
from escalator.ledger.rows import lock_node
with Database(parse_url(sys.argv[1])).writing() as session:
    row = lock_node(session, "upgrade__lab", "run-1", "node-01")
    row.fence += 1
    row.message = "never committed"
    session.flush()
    print("held", flush=True)
    time.sleep(60)
"""


BEGIN = """
import sys
from datetime import UTC, datetime
from escalator.ledger.ledger import Ledger
from escalator.model.campaign import Step
run = Ledger(sys.argv[1]).run("upgrade__lab", "run-1")
for _ in range(int(sys.argv[2])):
    now = datetime.now(tz=UTC)
    print(run.begin_step("node-01", Step.MIGRATE, try_number=1, now=now).fence)
"""
UPGRADE = "import sys; from escalator.ledger.ledger import Ledger; Ledger.create_or_upgrade(sys.argv[1])"


def child(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True)


def output(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return said


def test_processes_lose_no_fence_and_get_none_twice(run: CampaignRun, url: str) -> None:
    writers = [child(BEGIN, url, str(ATTEMPTS)) for _ in range(WRITERS)]
    given = [[int(line) for line in output(writer).splitlines()] for writer in writers]
    assert all(mine == sorted(mine) for mine in given)
    assert sorted(fence for mine in given for fence in mine) == list(range(1, WRITERS * ATTEMPTS + 1))
    assert len(run.steps()) == WRITERS * ATTEMPTS


def test_threads_lose_no_fence_and_get_none_twice(run: CampaignRun) -> None:
    def begin(_: int) -> int:
        return run.begin_step(HOST, Step.MIGRATE, try_number=1, now=NOW).fence

    with ThreadPoolExecutor(WRITERS) as pool:
        given = list(pool.map(begin, range(WRITERS * ATTEMPTS)))
    assert sorted(given) == list(range(1, WRITERS * ATTEMPTS + 1))


def test_processes_that_make_the_ledger_at_once_make_one(url: str) -> None:
    for process in [child(UPGRADE, url) for _ in range(3)]:
        output(process)
    assert Ledger(url).campaigns() == ()


def test_a_writer_killed_in_mid_transaction_leaves_nothing_and_blocks_nobody(
    run: CampaignRun, url: str
) -> None:
    holder = child(HOLD, url)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    began = time.monotonic()
    attempt = run.begin_step(HOST, Step.RELEASE, try_number=1, now=NOW)
    assert attempt.fence == 1
    assert run.progress(HOST).message == ""
    assert time.monotonic() - began < 5


def test_a_failure_inside_a_transaction_rolls_all_of_it_back(run: CampaignRun, url: str) -> None:
    def fail() -> None:
        with Database(parse_url(url)).writing() as session:
            lock_node(session, *RUN, HOST).state = NodeState.FAILED.value
            session.flush()
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert run.progress(HOST).state is NodeState.WAITING
