from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from tests.builders import NOW
from tests.events.test_event import ABOUT

from escalator.events.event import Action, Event
from escalator.events.notes import find_occasion, make_note, note_to_document
from escalator.model.occasion import Occasion
from escalator.model.step import Step
from escalator.model.verdict import Code, Subject, SubjectType
from escalator.schemas import FOLDER

HELD = Event(
    about=ABOUT,
    action=Action.NODE_STATE,
    at=NOW,
    node="node-01",
    result="held",
    code=Code.NODE_NOT_EMPTY,
    message="2 servers are left",
)
GAP = Event(
    about=ABOUT,
    action=Action.INTERRUPTION,
    at=NOW,
    node="node-01",
    subject=Subject(type=SubjectType.HA_GROUP, id="sbc"),
    result="over the limit",
    code=Code.INTERRUPTION_SWITCH,
)
END = Event(about=ABOUT, action=Action.CAMPAIGN_CONCLUDED, at=NOW, result="incomplete", message="1 failed")


@pytest.mark.parametrize(
    ("event", "occasion"),
    [
        (HELD, Occasion.HELD),
        (replace(HELD, code=Code.VNF_REFUSED), None),  # it gives way to the others
        (replace(HELD, result="failed"), Occasion.FAILED),
        (replace(HELD, result="released"), None),
        (replace(HELD, action=Action.QUESTION, result=None), Occasion.NEEDS_PERSON),
        (GAP, Occasion.GAP_OVER_LIMIT),
        (replace(GAP, result="measured"), None),
        (replace(HELD, action=Action.STEP_OVERDUE, step=Step.UPGRADE), Occasion.STEP_OVERDUE),
        (END, Occasion.DONE),
        (replace(END, result="completed"), Occasion.DONE),
        (replace(END, result="window-closed"), Occasion.WINDOW_CLOSED),
        (replace(END, result="dry-run"), None),
        (replace(HELD, action=Action.LEASE), None),
    ],
)
def test_people_are_told_of_what_they_want_to_know(event: Event, occasion: Occasion | None) -> None:
    assert find_occasion(event) is occasion


@pytest.mark.parametrize(
    ("event", "occasion", "title"),
    [
        (HELD, Occasion.HELD, "[lab] node-01 is held"),
        (GAP, Occasion.GAP_OVER_LIMIT, "[lab] sbc was away for too long"),
        (END, Occasion.DONE, "[lab] incomplete: upgrade__lab__x"),
    ],
)
def test_title_says_what_happened(event: Event, occasion: Occasion, title: str) -> None:
    assert make_note(event, occasion).title == title


def test_note_says_the_reason_and_where_to_look() -> None:
    note = make_note(HELD, Occasion.HELD, url="https://af/dags/x")
    assert note.text.splitlines() == [
        "2 servers are left",
        "reason: node_not_empty",
        "cloud lab, campaign upgrade__lab__x, run manual__1",
        "https://af/dags/x",
    ]


def test_note_is_written_as_its_schema_says() -> None:
    document = json.loads(json.dumps(note_to_document(make_note(GAP, Occasion.GAP_OVER_LIMIT))))
    jsonschema.validate(document, json.loads((FOLDER / "note.schema.json").read_text()))


def test_title_is_one_line_whatever_a_name_is() -> None:
    note = make_note(replace(HELD, node="n\r\nBcc: x@y.z" + "n" * 300), Occasion.HELD)
    assert "\n" not in note.title
    assert "\r" not in note.title
    assert len(note.title) == 150


def test_what_is_told_again_has_the_same_id_and_what_happens_again_has_another() -> None:
    first = make_note(HELD, Occasion.HELD, life="1").id
    again = replace(HELD, at=NOW.replace(hour=9), message="2 servers are left, still", step=Step.RELEASE)
    assert make_note(again, Occasion.HELD, life="1").id == first
    others = [
        make_note(HELD, Occasion.HELD, life="2"),
        make_note(replace(HELD, node="node-02"), Occasion.HELD, life="1"),
        make_note(replace(HELD, code=Code.AGENT_DOWN), Occasion.HELD, life="1"),
        make_note(replace(HELD, about=replace(ABOUT, run_id="2")), Occasion.HELD, life="1"),
    ]
    assert len({first, *(note.id for note in others)}) == 5
    assert make_note(END, Occasion.DONE).id != make_note(replace(END, result="completed"), Occasion.DONE).id
