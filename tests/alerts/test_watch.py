from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.alerts.fake_source import FakeSource

from escalator.alerts.watch import AlertWatch
from escalator.model.alerts import Alert, AlertSettings, Matcher
from escalator.model.errors import TransientError

NOW = datetime(2026, 11, 29, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_after_an_error_the_connection_is_read_anew() -> None:
    opened: list[FakeSource] = []

    def open_source() -> FakeSource:
        opened.append(FakeSource())
        return opened[-1]

    watch = AlertWatch(AlertSettings(conn_id="am"), open_source)
    watch.see_that_it_answers()
    watch.see_that_it_answers()
    assert len(opened) == 1
    opened[0].errors = [TransientError("HTTP 500")]
    with pytest.raises(TransientError):
        watch.see_that_it_answers()
    watch.see_that_it_answers()
    assert len(opened) == 2


def test_a_node_has_a_silence_for_each_line_and_only_what_lacks_is_written() -> None:
    source = FakeSource()
    watch = AlertWatch(AlertSettings(conn_id="am"), lambda: source)
    watch.ensure_silent("n1", "ours", now=NOW, until=NOW + HOUR)
    assert [str(s.matchers[0]) for s in source.silences] == ['instance=~"n1([.:].*)?"', 'hostname="n1"']
    writes = source.writes
    watch.ensure_silent("n1", "ours", now=NOW, until=NOW + HOUR)
    assert source.writes == writes
    watch.ensure_silent("n1", "ours", now=NOW, until=NOW + 2 * HOUR)
    assert len(source.silences) == 2
    assert {s.ends_at for s in source.silences} == {NOW + 2 * HOUR}
    watch.ensure_silent("n2", "other", now=NOW, until=NOW + HOUR)
    watch.end_silent("ours")
    assert {s.comment for s in source.silences} == {"other"}


def test_an_alert_that_two_lines_of_the_gate_match_is_one() -> None:
    source = FakeSource(alerts=[Alert(fingerprint="f", labels={"severity": "critical", "team": "a"})])
    gate = ((Matcher.parse("severity=critical"),), (Matcher.parse("team=a"),), (Matcher.parse("team=b"),))
    watch = AlertWatch(AlertSettings(conn_id="am", gate=gate), lambda: source)
    assert [a.fingerprint for a in watch.find_firing()] == ["f"]
