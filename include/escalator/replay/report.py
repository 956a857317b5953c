"""What a replay is asked and what it says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class ViolationCode(StrEnum):
    """The closed catalogue of rules that a trace can break; documented in docs/replay.md."""

    # the trace itself
    TIME_BACKWARDS = "time_backwards"
    UNKNOWN_HOST = "unknown_host"
    UNKNOWN_SERVER = "unknown_server"
    UNKNOWN_GROUP = "unknown_group"
    SNAPSHOT_MISMATCH = "snapshot_mismatch"
    RESULT_MISMATCH = "result_mismatch"
    UNEXPLAINED_TARGET = "unexplained_target"
    # nodes
    NOT_A_TARGET = "not_a_target"
    NODE_UNAVAILABLE = "node_unavailable"
    ALREADY_UPGRADED = "already_upgraded"
    ALREADY_OUT = "already_out"
    NOT_ADMITTED = "not_admitted"
    PARALLEL_EXCEEDED = "parallel_exceeded"
    NODE_BUSY = "node_busy"
    SERVER_LEFT_BEHIND = "server_left_behind"
    SERVER_NOT_STOPPED = "server_not_stopped"
    ACTIVE_NOT_SWITCHED = "active_not_switched"
    UPGRADE_UNSTARTED = "upgrade_unstarted"
    UPGRADE_UNFINISHED = "upgrade_unfinished"
    # moves
    WRONG_SOURCE = "wrong_source"
    MOVE_OVERLAP = "move_overlap"
    MOVE_UNSTARTED = "move_unstarted"
    MOVE_UNENDED = "move_unended"
    KIND_UNFIT = "kind_unfit"
    SOURCE_CROWDED = "source_crowded"
    LEFT_DOMAIN = "left_domain"
    DESTINATION_UNAVAILABLE = "destination_unavailable"
    CAPACITY = "capacity"
    MAX_UNIT = "max_unit"
    TRAITS_MISSING = "traits_missing"
    ZONE_LEFT = "zone_left"
    ANTI_AFFINITY = "anti_affinity"
    AFFINITY = "affinity"
    # servers that stay
    STOP_MISPLACED = "stop_misplaced"
    START_MISPLACED = "start_misplaced"
    NOT_STARTED_AGAIN = "not_started_again"
    # HA groups
    HA_IMPACT = "ha_impact"
    SWITCHOVER_FROM = "switchover_from"
    SWITCHOVER_TO = "switchover_to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken rule: when (seconds of the trace), about what (``node n1``, ``server web-1``), and how."""

    code: ViolationCode
    t: float
    subject: str
    message: str

    def __str__(self) -> str:
        """Say it on one line: ``t=12.0 node n1: message [code]``."""
        return f"t={self.t:.1f} {self.subject}: {self.message} [{self.code}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What the trace itself does not say.

    :ivar members_stay: members of HA groups stay on their node; None: they do unless the trace moves one
        other than as a standby.
    :ivar guests_untouched: the upgrade touches no guest (bundle impact ``control``): what stays need be
        neither switched away nor stopped.
    :ivar concurrent_migrations: moves that may go on from one node at once, standbys not counted; None:
        not checked, and read from the trace where the bounds need it.
    :ivar upgrade_seconds: what the upgrade of a node took; None: measured from the trace.
    :ivar migration_fixed_seconds: the fixed part of a move; None: moves are measured from the trace.
    :ivar migration_seconds_per_gib: the part of a move that grows with memory.
    :ivar snapshot_sha256: digest of the snapshot's document; None: not compared.
    """

    members_stay: bool | None = None
    guests_untouched: bool = False
    concurrent_migrations: int | None = None
    upgrade_seconds: float | None = None
    migration_fixed_seconds: float | None = None
    migration_seconds_per_gib: float = 0.0
    snapshot_sha256: str | None = None

    @property
    def bounds_given(self) -> bool:
        """Tell whether the bounds follow from the options alone."""
        given = (self.upgrade_seconds, self.migration_fixed_seconds, self.concurrent_migrations)
        return None not in given


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayFacts:
    """What the events come to, counted anew.

    :ivar moves: moves of servers that had to leave; ``standby_moves`` come on top.
    :ivar stuck: servers that had to leave a target node which was not upgraded.
    :ivar moved_twice: servers with more than one move of any kind.
    :ivar groups: active-standby groups with a member on an upgraded node.
    :ivar double_faults: times that a HA group was brought above what it tolerates.
    :ivar most_out: nodes that were out at once at the worst moment.
    """

    upgraded: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    moves: int = 0
    standby_moves: int = 0
    moves_lower_bound: int = 0
    most_moves_of_one_server: int = 0
    moved_twice: int = 0
    switchovers: int = 0
    groups: int = 0
    double_faults: int = 0
    soft_affinity_breaks: int = 0
    stuck: int = 0
    most_out: int = 0
    makespan_seconds: float = 0.0
    makespan_lower_bound_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """Every broken rule in the order of the events, and the facts."""

    violations: tuple[Violation, ...]
    facts: ReplayFacts

    @property
    def clean(self) -> bool:
        """Tell whether no rule was broken."""
        return not self.violations

    def counts(self) -> dict[str, int]:
        """Return how often each rule was broken."""
        return dict(sorted(Counter(str(v.code) for v in self.violations).items()))
