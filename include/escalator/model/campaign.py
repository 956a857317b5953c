"""A campaign: what was asked for, and how each of its nodes stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escalator.model.lease import Lease, LeaseMark
from escalator.model.verdict import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRequest:
    """What an operator asks for; ``hosts`` empty means every node of the domain.

    A move of a server that takes longer than ``migration_timeout_seconds`` counts as hung.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPlan:
    """What will be done: the nodes in order, under which limits; the input of every admission.

    :ivar campaign: id of the campaign: the DAG id.
    :ivar run_id: id of the run.
    :ivar hosts: nova-compute service hosts to upgrade, in order of preference.
    :ivar target_version: release that nova-compute reports when it is upgraded.
    """

    campaign: str
    run_id: str
    request: CampaignRequest
    hosts: tuple[str, ...]
    target_version: str
    window_end: datetime | None = None

    def lease(self, host: str) -> Lease:
        """Return the lease this campaign takes on a host."""
        words = f"max_parallel={self.request.max_parallel} upgrade to {self.request.bundle}"
        return Lease.of(campaign=self.campaign, run_id=self.run_id, host=host, words=words)


class Step(StrEnum):
    """The steps of a node's life, in order; also the task names."""

    ADMIT = "admit"
    PRECHECK = "precheck"
    SWITCHOVER = "switchover"
    MIGRATE = "migrate"
    UPGRADE = "upgrade"
    VERIFY = "verify"
    RELEASE = "release"


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
    def untouched(self) -> bool:
        """Tell whether nothing on the node or its servers was changed yet but for the lease."""
        return self in {NodeState.WAITING, NodeState.ADMITTED, NodeState.CHECKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProgress:
    """How one node of a campaign stands, since when, and why."""

    host: str
    state: NodeState = NodeState.WAITING
    code: Code | None = None
    message: str = ""
    since: datetime | None = None
    mark: LeaseMark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerView:
    """What a decision needs to know of the past: the progress of the campaign's own nodes."""

    nodes: tuple[NodeProgress, ...] = ()

    def of(self, host: str) -> NodeProgress:
        """Return the progress of a host; waiting when nothing is recorded."""
        return next((n for n in self.nodes if n.host == host), NodeProgress(host=host))
