"""A campaign: what was asked for, and how each of its nodes stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from escalator.model.approval import Approval, ApprovalAnswer
from escalator.model.backup import RestoreOf
from escalator.model.cloud import ComputeService, Node
from escalator.model.durations import DEFAULT_DURATIONS, Durations
from escalator.model.failed_nodes import OnFailedNode
from escalator.model.interruption import Breach
from escalator.model.lease import NO_INSTALLATION, Lease, LeaseMark
from escalator.model.no_return import NoReturn
from escalator.model.order import Order
from escalator.model.procedure import UPGRADE
from escalator.model.step import Step as Step  # noqa: PLC0414  part of this vocabulary
from escalator.model.verdict import Code


class UpgradeMode(StrEnum):
    """Smooth: servers keep running. Non-smooth: what cannot be moved is stopped and started again."""

    SMOOTH = "smooth"
    NON_SMOOTH = "non-smooth"


MODE_HELP = (
    "smooth (the default): servers keep running; non-smooth: those that cannot be moved are stopped meanwhile"
)
"""What command lines say of the two."""


class OnBlocked(StrEnum):
    """What a blocker that belongs to one node does: the campaign leaves that node out, or does not begin."""

    SKIP = "skip"
    REFUSE = "refuse"


class OnSlowMove(StrEnum):
    """What becomes of a live move that takes too long: it is aborted, or its guest pauses until it ends."""

    ABORT = "abort"
    FORCE_COMPLETE = "force_complete"


class OnInterruption(StrEnum):
    """What a service that was interrupted for too long does: no further node goes out, or it is reported."""

    STOP = "stop"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRequest:
    """What an operator asks for; ``hosts`` empty means every node of the domain.

    A move of a server that takes longer than ``migration_timeout_seconds`` counts as hung, or than
    ``migration_timeout_seconds_per_gib`` times its memory where that is more. ``on_slow_move``: a live one is
    forced to its end then, before it is aborted, which pauses its guest. ``spill`` is the
    share of the domain's servers that may be moved to nodes that are still to be upgraded, and so be moved
    twice, only to have more nodes out at once (0.02: two in a hundred; 1: as many as it takes).
    Where ``max_failed_percent`` is given, that share of the campaign's nodes may fail in place of
    ``max_failed_nodes``. After a node was given back no other goes out for ``soak_seconds``. A canary is
    moved into a proved node and out again within ``canary_move_seconds``; 0: none is.
    ``allow_downgrade``: the bundle may bring an older version than there is.
    ``move_standbys``: a standby moves to an upgraded node before it takes over by own means, where there is
    room to spare. ``on_failed_node``: what becomes of nodes that fail; None: what the bundle says.
    ``ask_before_one_way``: a person is asked before the first node that cannot go back.
    """

    cloud: str
    domain: str
    bundle: str
    hosts: tuple[str, ...] = ()
    max_parallel: int = 1
    max_failed_nodes: int = 0
    dry_run: bool = False
    migration_timeout_seconds: int = 900
    window_end: datetime | None = None
    mode: UpgradeMode = UpgradeMode.SMOOTH
    spill: float = 1.0
    on_blocked: OnBlocked = OnBlocked.REFUSE
    on_interruption: OnInterruption = OnInterruption.REPORT
    move_standbys: bool = True
    migration_timeout_seconds_per_gib: float = 0.0
    on_slow_move: OnSlowMove = OnSlowMove.ABORT
    max_failed_percent: int | None = None
    soak_seconds: int = 0
    canary_move_seconds: int = 0
    approval: Approval = Approval.NONE
    allow_downgrade: bool = False
    on_failed_node: OnFailedNode | None = None
    ask_before_one_way: bool = False

    def move_limit_seconds(self, memory_mib: int) -> float:
        """Return how long the move of a server of that much memory may take."""
        grown = self.migration_timeout_seconds_per_gib * memory_mib / 1024
        return max(float(self.migration_timeout_seconds), grown)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A node that was asked for and is left out of a campaign, and why, with its remedy."""

    host: str
    code: Code
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOf:
    """A run of a campaign, by the ids of its DAG and of itself, and what its bundle brought.

    :ivar version: of nova-compute; :ivar components: the others -> their versions.
    """

    campaign: str
    run_id: str
    version: str
    components: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Name it as its page in Airflow does."""
        return f"{self.campaign} {self.run_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPlan:
    """What will be done: the nodes in order, under which limits; the input of every admission.

    :ivar campaign: id of the campaign: the DAG id.
    :ivar run_id: id of the run.
    :ivar hosts: nova-compute service hosts to upgrade, in order of preference.
    :ivar target_version: release that nova-compute reports when it is upgraded.
    :ivar members_stay: members of HA groups stay on their node, their service being switched away or not
        touched at all; else they are moved like any server.
    :ivar expected: how long the steps of a node are expected to take.
    :ivar fingerprint: of the nodes, servers and groups that the order was made for; empty: not known.
    :ivar procedure: name of the procedure that the nodes go through.
    :ivar installation: id of the installation whose ledger the plan is in.
    :ivar left_out: nodes that were asked for and are not among ``hosts``, as something blocks them; they stay
        as they are, and take servers while they are in service.
    :ivar undoes: the run that the campaign takes back: what it left out of service is this campaign's to
        mend; None: it takes none back.
    :ivar no_return: which nodes cannot go back once they are changed.
    :ivar restores: the backup that its node is put back to; None: none. ``undoes`` is then the run that had
        the node last.
    """

    campaign: str
    run_id: str
    request: CampaignRequest
    hosts: tuple[str, ...]
    target_version: str
    window_end: datetime | None = None
    members_stay: bool = True
    expected: Durations = field(default_factory=lambda: DEFAULT_DURATIONS)
    fingerprint: str = ""
    procedure: str = UPGRADE.name
    installation: str = NO_INSTALLATION
    left_out: tuple[LeftOut, ...] = ()
    undoes: RunOf | None = None
    no_return: NoReturn = field(default_factory=NoReturn)
    restores: RestoreOf | None = None

    @property
    def named_hosts(self) -> tuple[str, ...]:
        """Return every host that the plan speaks of: those to upgrade in order, then those left out."""
        return (*self.hosts, *(node.host for node in self.left_out))

    @property
    def failures_allowed(self) -> int:
        """Return how many nodes may fail before no further one goes out; of a share rounded down.

        None may where the whole campaign is taken back then.
        """
        if self.request.on_failed_node is OnFailedNode.ROLLBACK_CAMPAIGN:
            return 0
        percent = self.request.max_failed_percent
        return self.request.max_failed_nodes if percent is None else len(self.hosts) * percent // 100

    def lease(self, host: str) -> Lease:
        """Return the lease this campaign takes on a host."""
        return Lease.of(
            campaign=self.campaign,
            run_id=self.run_id,
            host=host,
            installation=self.installation,
            max_parallel=self.request.max_parallel,
            words=f"{self.procedure} {'by' if self.undoes else 'to'} {self.request.bundle}",
        )

    def owns(self, node: Node | ComputeService) -> bool:
        """Tell whether a node is out under a lease of this campaign's run, in whatever words."""
        lease = node.lease
        return lease is not None and self.lease(node.host).same_holder(lease)

    def takes_over(self, node: Node | ComputeService) -> bool:
        """Tell whether the run that this campaign takes back left a node out of service, failed or held."""
        lease = node.lease
        if self.undoes is None or lease is None or lease.mark is None:
            return False
        left = Lease.of(
            campaign=self.undoes.campaign,
            run_id=self.undoes.run_id,
            host=node.host,
            installation=self.installation,
        )
        return left.same_holder(lease)

    def may_mend(self, node: Node | ComputeService) -> bool:
        """Tell whether a node is out of service and this campaign's to mend."""
        return self.owns(node) or self.takes_over(node)


class NodeState(StrEnum):
    """How a node stands in a campaign."""

    WAITING = "waiting"
    ADMITTED = "admitted"
    CHECKED = "checked"
    MIGRATING = "migrating"
    EMPTY = "empty"
    UPGRADING = "upgrading"
    UPGRADED = "upgraded"
    VERIFIED = "verified"
    RELEASED = "released"
    SKIPPED = "skipped"
    HELD = "held"
    FAILED = "failed"

    @property
    def under_way(self) -> bool:
        """Tell whether the node is out under a lease, as far as its steps have said."""
        return self in _UNDER_WAY

    @property
    def ended(self) -> bool:
        """Tell whether the node's way through the campaign is at its end."""
        return self in _ENDED

    @property
    def untouched(self) -> bool:
        """Tell whether nothing on the node or its servers was changed yet but for the lease."""
        return self in {NodeState.WAITING, NodeState.ADMITTED, NodeState.CHECKED}


_ENDED = frozenset({NodeState.RELEASED, NodeState.SKIPPED, NodeState.HELD, NodeState.FAILED})
_UNDER_WAY = frozenset(
    {
        NodeState.ADMITTED,
        NodeState.CHECKED,
        NodeState.MIGRATING,
        NodeState.EMPTY,
        NodeState.UPGRADING,
        NodeState.UPGRADED,
        NodeState.VERIFIED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProgress:
    """How one node of a campaign stands, since when, and why.

    :ivar since: since when it is in its state; of one that waits: since when for that code.
    """

    host: str
    state: NodeState = NodeState.WAITING
    code: Code | None = None
    message: str = ""
    since: datetime | None = None
    mark: LeaseMark | None = None

    @property
    def selected(self) -> bool:
        """Tell whether the node is one of the campaign's; the others have tasks that skip themselves."""
        return self.code is not Code.NOT_SELECTED

    @property
    def left_for_next_window(self) -> bool:
        """Tell whether only the end of the maintenance window kept the node from its upgrade."""
        return self.state is NodeState.WAITING and self.code is Code.WINDOW_CLOSED

    @property
    def stopped(self) -> bool:
        """Tell whether the node was told that no further node of the run goes out."""
        return self.state is NodeState.WAITING and self.code in _STOPPING

    @property
    def gave_way(self) -> bool:
        """Tell whether the node gave way to the others, as its VNF managers refused: it may come again."""
        return self.state is NodeState.HELD and self.code is Code.VNF_REFUSED


_STOPPING = frozenset(
    {
        Code.WINDOW_CLOSED,
        Code.FAILURE_BUDGET,
        Code.INTERRUPTION_SWITCH,
        Code.INTERRUPTION_YEAR,
        Code.SOAK_FAILED,
        Code.APPROVAL_REFUSED,
        Code.ORDER_STOP,
    }
)
"""Codes of the admission STOP; those that wait for something else have others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerView:
    """What a decision needs to know of the past.

    :ivar nodes: the progress of the campaign's own nodes.
    :ivar given_back: host -> when any campaign gave it back last (aware).
    :ivar moved_twice: domain -> moves of this campaign that ended on a node still to be upgraded.
    :ivar noticed_at: when the owners of the servers were told of the campaign; None: at its start.
    :ivar ready: ids of the servers whose managers agreed to the campaign: their lead time is over.
    :ivar leases: host -> the exact reasons that this run wrote there last, or was about to write.
    :ivar approvals: host -> what a person answered after that node.
    :ivar crossings_asked: hosts before which a person was asked whether they may go out one-way.
    :ivar crossing: what was answered to that, last.
    :ivar breaches: groups whose services this run interrupted, and that were interrupted for too long.
    :ivar orders: what persons ordered of this run, the earliest first.
    """

    nodes: tuple[NodeProgress, ...] = ()
    given_back: Mapping[str, datetime] = field(default_factory=dict)
    moved_twice: Mapping[str, int] = field(default_factory=dict)
    noticed_at: datetime | None = None
    ready: frozenset[str] = frozenset()
    leases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    breaches: tuple[Breach, ...] = ()
    approvals: Mapping[str, ApprovalAnswer] = field(default_factory=dict)
    crossings_asked: frozenset[str] = frozenset()
    crossing: ApprovalAnswer | None = None
    orders: tuple[Order, ...] = ()

    def of(self, host: str) -> NodeProgress:
        """Return the progress of a host; waiting when nothing is recorded."""
        return next((n for n in self.nodes if n.host == host), NodeProgress(host=host))
