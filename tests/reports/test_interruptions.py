import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalator.reports.interruptions import GuestEvent, GuestEvents, read_guest_events

START = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)
END = START + timedelta(seconds=60)


def seen(*rows: tuple[float, str] | tuple[float, str, str]) -> GuestEvents:
    events = [
        GuestEvent(t=START.timestamp() + row[0], guest="s", event=row[1], by=row[2] if len(row) > 2 else None)
        for row in rows
    ]
    return GuestEvents.of(events)


@pytest.mark.parametrize(
    ("events", "longest"),
    [
        (seen((1, "paused"), (1.1, "resumed")), 100.0),
        (seen((1, "paused", "live-migration"), (1.1, "resumed", "live-migration")), 100.0),
        (seen((1, "paused"), (1.1, "resumed"), (5, "paused"), (5.5, "resumed")), 500.0),
        (seen((5, "paused"), (5.5, "resumed"), (9, "paused"), (9.2, "resumed")), 500.0),
        (seen((1, "stopped", "cold-migration"), (4, "started")), 3000.0),
        (seen((4, "resumed"), (3.5, "paused")), 500.0),
        (seen((1, "migration-start"), (2, "moved")), 0.0),
        (seen((1, "paused", "user"), (9, "resumed", "user")), 0.0),
        (seen((1, "stopped", "reboot"), (2, "started", "reboot")), 0.0),
        (seen((-5, "paused"), (-4, "resumed"), (3, "moved")), 0.0),
        (seen((70, "paused"), (90, "resumed"), (3, "moved")), 0.0),
        (seen((59, "paused"), (65, "resumed")), 6000.0),
        (seen((58, "paused")), 2000.0),
        (seen((50, "paused"), (900, "paused"), (901, "resumed")), 10000.0),
        (seen((-5, "paused"), (-4, "resumed")), None),
        (seen(), None),
    ],
)  # fmt: skip
def test_the_longest_gap(events: GuestEvents, longest: float | None) -> None:
    assert events.longest_gap_ms("s", START, END) == longest


def test_guests_are_kept_apart() -> None:
    start = START.timestamp()
    events = GuestEvents.of(
        [
            GuestEvent(t=start + 1, guest="a", event="paused"),
            GuestEvent(t=start + 2, guest="b", event="resumed"),
            GuestEvent(t=start + 5, guest="a", event="resumed"),
        ]
    )
    assert events.longest_gap_ms("a", START, END) == 4000.0
    assert events.longest_gap_ms("b", START, END) == 0.0
    assert events.longest_gap_ms("c", START, END) is None


def test_who_is_never_heard_again_was_silent_as_long_as_others_were_heard() -> None:
    start = START.timestamp()
    rows = (("gone", 5, "silent"), ("other", 6, "answering"), ("other", 300, "answering"))
    events = GuestEvents.of(GuestEvent(t=start + t, guest=guest, event=word) for guest, t, word in rows)
    assert events.longest_gap_ms("gone", START, END) == 295_000.0


def line(seconds: float, event: str, **more: object) -> str:
    return json.dumps({"t": START.timestamp() + seconds, "guest": "s", "event": event, **more})


def test_logs_of_several_nodes_are_read_together(tmp_path: Path) -> None:
    for node, text in (("node-01", line(1, "paused")), ("node-02", line(1.25, "resumed"))):
        (tmp_path / node).mkdir()
        (tmp_path / node / "guest-events.jsonl").write_text(text + "\n")
    events = read_guest_events(str(tmp_path / "*" / "guest-events.jsonl"))
    assert events.longest_gap_ms("s", START, END) == 250.0
    assert events.unreadable_lines == 0


def test_cut_and_foreign_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    bad = [line(2, "resumed")[:20], "[]", "null", '{"t": true, "guest": "s", "event": "paused"}',
           '{"t": 1e400, "guest": "s", "event": "paused"}', '{"t": NaN, "guest": "s", "event": "paused"}',
           '{"t": 1, "guest": 7, "event": "paused"}', '{"t": 1, "guest": "s"}', "[" * 100_000,
           '{"t": 1' + "0" * 400 + ', "guest": "s", "event": "paused"}']  # fmt: skip
    log = tmp_path / "log"
    log.write_bytes("\n".join([line(1, "paused"), *bad, "", line(3, "resumed")]).encode() + b"\n\xff\xfe{\n")
    events = read_guest_events(str(log))
    assert events.unreadable_lines == len(bad) + 1
    assert events.longest_gap_ms("s", START, END) == 2000.0


def test_the_environment_names_the_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text(line(1, "paused"))
    (tmp_path / "b").write_text(line(2, "resumed"))
    monkeypatch.setenv("ESCALATOR_GUEST_EVENTS", f"{tmp_path / 'a'}:{tmp_path / 'b'}:{tmp_path / 'missing'}")
    assert read_guest_events().longest_gap_ms("s", START, END) == 1000.0
    monkeypatch.delenv("ESCALATOR_GUEST_EVENTS")
    assert read_guest_events() == GuestEvents()


def test_a_log_that_cannot_be_read_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "folder").mkdir()
    assert read_guest_events(str(tmp_path / "folder")) == GuestEvents()
    assert "cannot be read" in caplog.text


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-100, 200), st.sampled_from(["paused", "stopped", "resumed", "moved"])))
)
def test_a_gap_is_never_negative(rows: list[tuple[float, str]]) -> None:
    gap = seen(*rows).longest_gap_ms("s", START, END)
    in_window = any(0 <= t <= 60 for t, _ in rows)
    assert gap is None or gap >= 0
    assert in_window or gap is None
