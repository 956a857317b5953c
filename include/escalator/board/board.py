"""What the board says of a campaign, as data: times are aware, durations are in seconds.

Nothing here is secret: whoever may read the campaign's DAG may read all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escalator.model.campaign import NodeState
from escalator.model.step import Outcome, Step
from escalator.model.verdict import Code


class Stand(StrEnum):
    """How a campaign stands: it goes on, goes no further, waits for a person, or is over."""

    RUNNING = "running"
    STOPPED = "stopped"
    NEEDS_A_PERSON = "needs a person"
    OVER = "over"


class Group(StrEnum):
    """What a node counts as."""

    DONE = "done"
    OUT = "out"
    WAITING = "waiting"
    HELD = "held"
    FAILED = "failed"


def group_of(state: NodeState) -> Group:
    """Return what a node in a state counts as; one that is skipped needs nothing more, and is done."""
    if state.under_way:
        return Group.OUT
    return _GROUPS[state]


_GROUPS = {
    NodeState.WAITING: Group.WAITING,
    NodeState.RELEASED: Group.DONE,
    NodeState.SKIPPED: Group.DONE,
    NodeState.HELD: Group.HELD,
    NodeState.FAILED: Group.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignLine:
    """One campaign in the list of all.

    :ivar nodes: how many nodes count as what.
    """

    dag_id: str
    run_id: str
    opened_at: datetime
    bundle: str
    target_version: str
    stand: Stand
    nodes: Mapping[Group, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCell:
    """How a step of a node stands.

    :ivar seconds: how long the last attempt took, or has taken so far.
    :ivar usual_seconds: what half of such steps take at most; None: nothing is known.
    :ivar slow: it takes longer than nine in ten do.
    :ivar result: None while it runs, and before it begins.
    """

    step: Step
    begun_at: datetime | None = None
    seconds: float | None = None
    usual_seconds: float | None = None
    slow: bool = False
    tries: int = 0
    result: Outcome | None = None
    code: Code | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLine:
    """How a node stands, and why.

    :ivar place: its place in the order of the campaign, from 1; None: the campaign leaves it out.
    :ivar why: why it waits, is held or failed, in words; empty where there is nothing to say.
    """

    host: str
    place: int | None
    state: NodeState
    group: Group
    since: datetime | None
    code: Code | None
    why: str
    steps: tuple[StepCell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The campaign itself.

    :ivar parallel: how many nodes may be out at once (K).
    :ivar failures_allowed: how many nodes may fail before no further one goes out.
    """

    dag_id: str
    run_id: str
    cloud: str
    domain: str
    procedure: str
    bundle: str
    from_versions: tuple[str, ...]
    target_version: str
    stand: Stand
    dry_run: bool
    opened_at: datetime
    window_end: datetime | None
    parallel: int
    failures_allowed: int
    nodes: Mapping[Group, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All that the board says of one run of a campaign at one moment."""

    made_at: datetime
    campaign: Head
    nodes: tuple[NodeLine, ...]
