from __future__ import annotations

import io
import json
import threading
from datetime import UTC, datetime
from pathlib import Path

from escalator.lab.guest_watch import SILENT_SECONDS, Silence, watch
from escalator.reports.interruptions import read_guest_events

LONG = 2 * SILENT_SECONDS


def test_a_guest_that_answers_is_written_down_once_a_second() -> None:
    guest = Silence(100.0)
    told = [guest.hear(100.0 + step * 0.25) for step in range(9)]
    assert [bool(each) for each in told] == [True, False, False, False] * 2 + [True]


def test_silence_begins_with_the_last_answer_and_ends_with_the_next() -> None:
    guest = Silence(100.0)
    guest.hear(100.0)
    guest.ask(100.001)
    assert guest.look(100.001 + SILENT_SECONDS / 2) == ()
    assert guest.look(100.001 + LONG) == ((100.0, "silent"),)
    assert guest.look(100.001 + 2 * LONG) == ()
    assert guest.hear(101.5) == ((101.5, "answering"),)


def test_a_pause_of_the_sender_is_no_silence_of_the_guest() -> None:
    guest = Silence(100.0)
    guest.hear(100.0)
    guest.ask(105.0)
    assert guest.look(105.0 + SILENT_SECONDS / 2) == ()


def test_the_report_reads_the_longest_silence_from_the_log(tmp_path: Path) -> None:
    guest = Silence(100.0)
    events = [*guest.hear(100.0)]
    guest.ask(100.0)
    events += [*guest.look(100.0 + LONG), *guest.hear(100.123)]
    log = tmp_path / "guest-events.jsonl"
    log.write_text("".join(json.dumps({"t": t, "guest": "g", "event": w}) + "\n" for t, w in events))
    start, end = datetime.fromtimestamp(99, UTC), datetime.fromtimestamp(110, UTC)
    assert read_guest_events(str(log)).longest_gap_ms("g", start, end) == 123.0


def test_a_real_address_is_watched_until_the_end() -> None:
    ended = threading.Event()

    class Log(io.StringIO):
        def flush(self) -> None:
            ended.set()

    log, enough = Log(), threading.Timer(60, ended.set)
    enough.start()
    watch({"here": "127.0.0.1"}, log, ended)
    enough.cancel()
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    assert told
    assert {each["guest"] for each in told} == {"here"}
    assert told[0]["event"] == "answering"
