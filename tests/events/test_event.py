from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import jsonschema
import pytest
from tests.builders import NOW

from escalator.documents.document_model import read_document
from escalator.events.event import About, Action, Event, event_to_document, write_line
from escalator.events.event_document import EventDocument
from escalator.model.step import Step
from escalator.model.verdict import Code, Subject
from escalator.schemas import FOLDER

ABOUT = About(campaign="upgrade__lab__x", run_id="manual__1", cloud="lab", plan_hash="0f" * 32)
FULL = Event(
    about=ABOUT,
    action=Action.MOVE,
    at=NOW,
    node="node-01",
    subject=Subject.of_server("4d3c", "web-1"),
    step=Step.MIGRATE,
    attempt=2,
    result="not arrived",
    code=Code.MIGRATION_FAILED,
    message="Nova says error",
    request_id="req-1",
    seconds=17.23456,
    details={"method": "live", "to": None, "api_calls": 3},
)
BARE = Event(about=About(campaign="c", run_id="r", cloud="lab"), action=Action.CAMPAIGN_OPENED, at=NOW)
SCHEMA = json.loads((FOLDER / "event.schema.json").read_text())


@pytest.mark.parametrize("event", [FULL, BARE])
def test_what_is_written_is_what_the_schema_says(event: Event) -> None:
    document = json.loads(write_line(event))
    jsonschema.validate(document, SCHEMA)
    assert isinstance(read_document(EventDocument, document), EventDocument)
    assert sorted(document) == sorted(SCHEMA["required"])


def test_event_says_what_the_requirement_asks_for() -> None:
    document = event_to_document(FULL)
    asked = ("timestamp", "campaign", "node", "object_id", "action", "step", "result", "code", "request_id")
    assert [document[key] for key in asked] == [
        "2026-11-22T08:00:00.000+00:00",
        "upgrade__lab__x",
        "node-01",
        "4d3c",
        "move",
        "migrate",
        "not arrived",
        "migration_failed",
        "req-1",
    ]
    assert (document["actor"], document["seconds"]) == ("escalator", 17.235)


def test_event_without_a_subject_is_about_its_node_or_its_campaign() -> None:
    node = event_to_document(Event(about=ABOUT, action=Action.LEASE, at=NOW, node="node-01"))
    assert (node["object_type"], node["object_id"]) == ("node", "node-01")
    bare = event_to_document(BARE)
    assert (bare["object_type"], bare["object_id"]) == ("campaign", "c")


def test_time_is_written_in_utc() -> None:
    zone = timezone(timedelta(hours=2))
    event = Event(about=ABOUT, action=Action.LEASE, at=datetime(2026, 11, 22, 10, tzinfo=zone))
    assert event_to_document(event)["timestamp"] == "2026-11-22T08:00:00.000+00:00"


def test_line_is_one_line_of_ascii_whatever_names_there_are() -> None:
    event = Event(
        about=ABOUT,
        action=Action.MOVE,
        at=NOW,
        subject=Subject.of_server("1", 'a"\n\u2028é'),
        message="\ud800",
    )
    line = write_line(event)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["object_name"] == 'a"\n\u2028é'
