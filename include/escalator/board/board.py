"""What the board says of a campaign, as data: times are aware, durations are in seconds.

Nothing here is secret: whoever may read the campaign's DAG may read all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escalator.model.campaign import NodeState
from escalator.model.order import Order, Verb
from escalator.model.step import Outcome, Step
from escalator.model.verdict import Code


class Stand(StrEnum):
    """How a campaign stands: it goes on, is paused, admits no further node, waits for a person, is over."""

    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    NEEDS_A_PERSON = "needs a person"
    OVER = "over"


class Group(StrEnum):
    """What a node counts as."""

    DONE = "done"
    OUT = "out"
    WAITING = "waiting"
    HELD = "held"
    FAILED = "failed"


class Wait(StrEnum):
    """What a node waits for, in one word."""

    TURN = "turn"
    CAPACITY = "capacity"
    GROUP = "group"
    NOTICE = "notice"
    WINDOW = "window"
    PERSON = "person"
    ORDER = "order"
    WATCHERS = "watchers"
    FAILURES = "failures"
    OTHERS = "others"


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

    @property
    def runs(self) -> bool:
        """Tell whether an attempt has no end yet."""
        return self.begun_at is not None and self.result is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMove:
    """A server that is to leave a node that is out, and how far that is.

    :ivar to: where it is, or was tried to be brought; the first choice while nothing is known.
    :ivar flies: it is on its way, as its node's drain saw it last.
    :ivar percent: of one that flies: how much is copied; None: Nova has no number.
    :ivar seconds: how long its last move took; None: none has ended.
    """

    name: str
    method: str
    to: str | None
    done: bool = False
    failed: bool = False
    flies: bool = False
    percent: int | None = None
    tries: int = 0
    seconds: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLine:
    """How a node stands, and why.

    :ivar place: its place in the order of the campaign, from 1; None: the campaign leaves it out.
    :ivar why: why it waits, is held or failed, in words; empty where there is nothing to say.
    :ivar remedy: what can be done about it; empty: nothing is to be done.
    :ivar wait: of a node that waits: what for.
    :ivar moves: the servers that leave it, while it is out.
    :ivar verbs: what may be ordered of it now.
    """

    host: str
    place: int | None
    state: NodeState
    group: Group
    since: datetime | None
    code: Code | None
    why: str
    steps: tuple[StepCell, ...]
    remedy: str = ""
    wait: Wait | None = None
    moves: tuple[ServerMove, ...] = ()
    verbs: tuple[Verb, ...] = ()

    @property
    def moved(self) -> int:
        """Return how many of its servers have left it."""
        return sum(move.done for move in self.moves)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextNode:
    """A node that goes next, why it is next, and what it waits for now."""

    host: str
    reason: str
    wait: Wait | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What keeps further nodes in now.

    :ivar nodes: how many wait for it.
    """

    wait: Wait
    nodes: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When a campaign is expected to end.

    :ivar earliest: as fast as its fastest nodes; :ivar latest: as slow as its slowest.
    :ivar nodes: how many of its own nodes that is learnt from; 0: from what was expected at its start.
    """

    expected: datetime
    earliest: datetime
    latest: datetime
    nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a group: a server, where it is, and whether its node is out."""

    name: str
    host: str | None
    role: str
    out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLine:
    """A group of a VNF.

    :ivar tolerated: how many members may be impacted at once.
    :ivar last_gap_seconds: the last interruption of its service in the run; None: none was measured.
    :ivar allowed_seconds: what is allowed at once; :ivar year_seconds: the sum within the year up to now.
    :ivar too_long: more than is allowed, at once or in the year.
    """

    id: str
    vnf: str
    mode: str
    members: tuple[Member, ...]
    tolerated: int
    recovery_seconds: float
    lead_seconds: float
    last_gap_seconds: float | None
    last_gap_at: datetime | None
    allowed_seconds: float
    year_seconds: float
    year_allowed_seconds: float
    too_long: bool

    @property
    def out(self) -> int:
        """Return how many members are on nodes that are out."""
        return sum(member.out for member in self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a person has to decide or to mend.

    :ivar verbs: what can be ordered about it here.
    :ivar task: id of the task in Airflow that it is about; empty: none.
    """

    host: str
    code: Code | None
    since: datetime | None
    message: str
    remedy: str
    verbs: tuple[Verb, ...] = ()
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The campaign itself.

    :ivar parallel: how many nodes may be out at once (K).
    :ivar failures_allowed: how many nodes may fail before no further one goes out.
    :ivar two_hours_at: when two hours are over since the first node was taken out, which the requirements
        give to a whole upgrade; None: no node was out yet.
    :ivar ended_at: when its last node was given back, of a campaign that is over.
    :ivar verbs: what may be ordered of it now.
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
    failures: int
    failures_allowed: int
    servers_moved: int
    nodes: Mapping[Group, int]
    total: int
    limits: tuple[Limit, ...] = ()
    forecast: Forecast | None = None
    two_hours_at: datetime | None = None
    ended_at: datetime | None = None
    verbs: tuple[Verb, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All that the board says of one run of a campaign at one moment.

    :ivar orders: what persons ordered of it, the latest first.
    """

    made_at: datetime
    campaign: Head
    needs: tuple[Need, ...]
    next_nodes: tuple[NextNode, ...]
    nodes: tuple[NodeLine, ...]
    groups: tuple[GroupLine, ...]
    orders: tuple[Order, ...] = ()
