"""The line of an event as a pydantic model: what whoever reads events may rely on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from escalator.documents.document_model import DocumentModel, Moment, Word
from escalator.events.event import Action
from escalator.model.occasion import Occasion
from escalator.model.step import Step
from escalator.model.verdict import Code, SubjectType


class EventDocument(DocumentModel):
    """One event: a line of the file of events."""

    schema_: Literal["escalator.event/1"] = Field(alias="schema")
    timestamp: Moment = Field(description="when it happened, in UTC")
    campaign: str = Field(description="id of the campaign: that of its DAG")
    run_id: str = Field(description="id of its run")
    cloud: str
    plan_hash: str | None = Field(description="fingerprint of the plan that is carried out")
    node: str | None = Field(description="nova-compute service host; null: of the whole campaign")
    object_type: Word[SubjectType] = Field(description="kind of the thing that it is about")
    object_id: str = Field(description="its id: a UUID, the name of a host, of a campaign, of a group")
    object_name: str | None
    action: Word[Action] = Field(description="what happened")
    step: Word[Step] | None
    attempt: int | None = Field(description="number of the try of the step")
    result: str | None = Field(description="how it came out, in one word")
    code: Word[Code] | None = Field(description="the reason, of the closed catalogue in docs/codes.md")
    message: str
    request_id: str | None = Field(description="x-openstack-request-id of the call that went wrong")
    actor: str = Field(description="who did it: escalator, or the name of a person")
    seconds: float | None = Field(description="how long it took")
    details: dict[str, str | float | bool | None]


class NoteDocument(DocumentModel):
    """What goes to people: the body of a webhook's POST."""

    schema_: Literal["escalator.note/1"] = Field(alias="schema")
    id: str = Field(description="the same whenever the same is told again")
    occasion: Word[Occasion]
    title: str = Field(description="one line")
    text: str
    url: str = Field(description="where the run is looked at; empty: nobody knows")
    event: EventDocument
