"""What people are told, and when: from an event, the note that goes to them (``escalator.note/1``)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from escalator.events.conclusion import BY_WINDOW, REFUSED
from escalator.events.event import Action, Event, event_to_document
from escalator.events.told_gaps import OVER
from escalator.model.campaign import NodeState
from escalator.model.occasion import Occasion
from escalator.model.verdict import Code

SCHEMA = "escalator.note/1"
LONGEST_TITLE = 150
_ENDS = {"completed": Occasion.DONE, "incomplete": Occasion.DONE, "window-closed": Occasion.WINDOW_CLOSED}
_STATES: Mapping[str | None, Occasion] = {
    NodeState.HELD.value: Occasion.HELD,
    NodeState.FAILED.value: Occasion.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What goes to people.

    :ivar id: the same whenever the same is told again: who has it already may drop it.
    :ivar title: one line.
    :ivar url: where the run is looked at; empty: nobody knows.
    """

    id: str
    occasion: Occasion
    title: str
    text: str
    event: Event
    url: str = ""


def find_occasion(event: Event) -> Occasion | None:
    """Return what an event is to people; None: nothing that they want to be told of.

    A node that gives way to the others as its VNF managers refuse is held for the time being only. Who starts
    a campaign sees that it is refused; of one that a window began somebody has to be told.
    """
    match event.action:
        case Action.NODE_STATE if event.code is not Code.VNF_REFUSED:
            return _STATES.get(event.result)
        case Action.QUESTION:
            return Occasion.NEEDS_PERSON
        case Action.STEP_OVERDUE:
            return Occasion.STEP_OVERDUE
        case Action.INTERRUPTION if event.result == OVER:
            return Occasion.GAP_OVER_LIMIT
        case Action.CAMPAIGN_CONCLUDED:
            return _find_end(event)
        case _:
            return None


def _find_end(event: Event) -> Occasion | None:
    if event.result == REFUSED:
        return Occasion.NEEDS_PERSON if event.details.get(BY_WINDOW) else None
    return _ENDS.get(event.result or "")


def make_note(event: Event, occasion: Occasion, *, url: str = "", life: str = "") -> Note:
    """Make the note of an event.

    :param life: tells this way of the node through the campaign from an earlier one: a node that is held
        again after somebody mended it is told of again.
    """
    about = event.about
    title = _make_title(event, occasion)
    lines = [
        event.message,
        f"reason: {event.code}" if event.code else "",
        f"cloud {about.cloud}, campaign {about.campaign}, run {about.run_id}",
        url,
    ]
    return Note(
        id=_make_id(event, occasion, life),
        occasion=occasion,
        title=title,
        text="\n".join(line for line in lines if line),
        event=event,
        url=url,
    )


def note_to_document(note: Note) -> dict[str, Any]:
    """Write a note as plain JSON data: what a webhook gets."""
    return {
        "schema": SCHEMA,
        "id": note.id,
        "occasion": str(note.occasion),
        "title": note.title,
        "text": note.text,
        "url": note.url,
        "event": event_to_document(note.event),
    }


def _make_title(event: Event, occasion: Occasion) -> str:
    thing = event.subject.id if event.subject is not None else event.node or ""
    of_run = f"{event.result}: {event.about.campaign}"
    said: Mapping[Occasion, Callable[[], str]] = {
        Occasion.HELD: lambda: f"{event.node} is held",
        Occasion.FAILED: lambda: f"{event.node} FAILED and stays out",
        Occasion.NEEDS_PERSON: lambda: f"{event.node} waits for a person" if event.node else of_run,
        Occasion.GAP_OVER_LIMIT: lambda: f"{thing} was away for too long",
        Occasion.STEP_OVERDUE: lambda: f"{event.step} of {event.node} takes long",
        Occasion.WINDOW_CLOSED: lambda: f"the window has closed, nodes are left: {event.about.campaign}",
        Occasion.DONE: lambda: of_run,
    }
    line = f"[{event.about.cloud}] {said[occasion]()}"
    return "".join(c if c.isprintable() else " " for c in line)[:LONGEST_TITLE]


def _make_id(event: Event, occasion: Occasion, life: str) -> str:
    """Name what is told: a state by its reason, a gap by its service, an end by its outcome."""
    subject = event.subject.id if event.subject is not None else ""
    question = event.message if occasion is Occasion.NEEDS_PERSON else ""
    end = event.result if event.action is Action.CAMPAIGN_CONCLUDED else ""
    step = str(event.step or "") if occasion is Occasion.STEP_OVERDUE else ""
    parts = (
        event.about.campaign,
        event.about.run_id,
        str(occasion),
        event.node or "",
        str(event.code or ""),
        subject,
        question,
        end or "",
        step,
        life,
    )
    return hashlib.sha256("\0".join(parts).encode(errors="backslashreplace")).hexdigest()[:32]
