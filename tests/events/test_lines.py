from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest
from tests.events.test_event import FULL

from escalator.events.lines import EventFile, list_line_hearers, log_event


def test_events_are_appended_and_a_file_that_was_rotated_away_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write = EventFile(path)
    write(FULL)
    write(FULL)
    assert [json.loads(line)["action"] for line in path.read_text().splitlines()] == ["move", "move"]
    assert path.stat().st_mode & 0o007 == 0
    path.rename(tmp_path / "events.jsonl.1")
    write(FULL)
    assert len(path.read_text().splitlines()) == 1


@pytest.mark.parametrize("what", ["folder that is not there", "folder", "pipe", "full disk"])
def test_file_that_cannot_be_written_fails_nothing_and_is_said_once(
    what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "events"
    match what:
        case "folder that is not there":
            path = path / "events"
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path = Path("/dev/full")
    write = EventFile(path)
    write(FULL)
    write(FULL)
    said = [record.getMessage() for record in caplog.records if str(path) in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("ESCALATOR_EVENTS_FILE: events are not written to ")


def test_log_has_the_same_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "escalator.events"):
        log_event(FULL)
    (record,) = caplog.records
    assert record.name == "escalator.events"
    assert json.loads(record.getMessage())["object_id"] == "4d3c"


def test_file_is_off_until_the_variable_is_set(tmp_path: Path) -> None:
    assert list_line_hearers({}) == (log_event,)
    assert list_line_hearers({"ESCALATOR_EVENTS_FILE": ""}) == (log_event,)
    path = tmp_path / "events"
    for hear in list_line_hearers({"ESCALATOR_EVENTS_FILE": str(path)}):
        hear(FULL)
    assert path.exists()
