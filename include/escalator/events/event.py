"""One thing that happened in a campaign, and how it is written on one line (``escalator.event/1``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from escalator.model.step import Step
from escalator.model.verdict import Code, Subject

SCHEMA = "escalator.event/1"
ESCALATOR = "escalator"
"""Who acts when no person does."""


class Action(StrEnum):
    """What happened."""

    CAMPAIGN_OPENED = "campaign_opened"
    CAMPAIGN_CONCLUDED = "campaign_concluded"
    STEP_BEGUN = "step_begun"
    STEP_ENDED = "step_ended"
    STEP_OVERDUE = "step_overdue"
    NODE_STATE = "node_state"
    DECISION = "decision"
    LEASE = "lease"
    MOVE = "move"
    REBOOT = "reboot"
    SWITCH = "switch"
    QUESTION = "question"
    ANSWER = "answer"
    ORDER = "order"
    INTERRUPTION = "interruption"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Which run of which campaign an event is of; ``plan_hash`` is the fingerprint of its plan."""

    campaign: str
    run_id: str
    cloud: str
    plan_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    :ivar at: when (aware).
    :ivar node: nova-compute service host; None: it is of the whole campaign.
    :ivar subject: the thing that it is about; None: the node, or else the campaign.
    :ivar attempt: number of the try of the step.
    :ivar result: how it came out, in one word: an outcome, a state, a phase.
    :ivar request_id: ``x-openstack-request-id`` of the call that went wrong.
    :ivar actor: who did it: ``escalator``, or a person's or a manager's name.
    :ivar seconds: how long it took.
    :ivar details: more of it: texts, numbers, true and false.
    """

    about: About
    action: Action
    at: datetime
    node: str | None = None
    subject: Subject | None = None
    step: Step | None = None
    attempt: int | None = None
    result: str | None = None
    code: Code | None = None
    message: str = ""
    request_id: str | None = None
    actor: str = ESCALATOR
    seconds: float | None = None
    details: Mapping[str, str | float | bool | None] = field(default_factory=dict)


def event_to_document(event: Event) -> dict[str, Any]:
    """Write an event as plain JSON data: every key is always there, null where there is nothing to say."""
    about, subject = event.about, event.subject
    if subject is None:
        subject = Subject.of_node(event.node) if event.node else None
    return {
        "schema": SCHEMA,
        "timestamp": event.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "campaign": about.campaign,
        "run_id": about.run_id,
        "cloud": about.cloud,
        "plan_hash": about.plan_hash or None,
        "node": event.node,
        "object_type": str(subject.type) if subject else "campaign",
        "object_id": subject.id if subject else about.campaign,
        "object_name": subject.name if subject else None,
        "action": str(event.action),
        "step": str(event.step) if event.step else None,
        "attempt": event.attempt,
        "result": event.result,
        "code": str(event.code) if event.code else None,
        "message": event.message,
        "request_id": event.request_id,
        "actor": event.actor,
        "seconds": None if event.seconds is None else round(event.seconds, 3),
        "details": dict(event.details),
    }


def write_line(event: Event) -> str:
    """Write an event on one line of ASCII, without its end: names with line breaks stay on it."""
    return json.dumps(event_to_document(event), separators=(",", ":"))
