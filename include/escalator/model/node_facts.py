"""The facts of a node: what its steps remember for later steps, attempts and campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from escalator.model.approval import ApprovalAnswer
from escalator.model.cloud import ResourceInventory
from escalator.model.moves import Agreement, DrainPlan, StandbyMove
from escalator.model.server_image import ServerImage
from escalator.model.stops import ServerStop
from escalator.model.watchers import MaintenanceFlag, Silencing


class PersonWord(StrEnum):
    """What a person says of a node that VNF managers refuse to let go."""

    ASK_AGAIN = "Ask again"
    MOVE = "Move its servers all the same"
    LEAVE = "Leave the node out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What verify proved: the version that runs, and when it was seen (aware)."""

    version: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadablePlan:
    """A drain plan that is stored in a form which this release does not read; ``why`` says what is wrong."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RebootOrder:
    """A reboot that was about to be ordered, and what came of it. Times are aware.

    :ivar boot_id: of the boot that was to end: the node in another one has rebooted.
    :ivar answered_at: when the node answered last in that boot.
    :ivar back_at: when it was seen in another boot; None: it was not yet.
    :ivar switched_at: when its power was about to be switched from outside, as it did not come back.
    :ivar reasons: what asked for it, in words; none: the bundle reboots every node.
    """

    boot_id: str
    ordered_at: datetime
    answered_at: datetime
    back_at: datetime | None = None
    switched_at: datetime | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """What Placement has of a node; what stands on child providers counts with it.

    :ivar id: of the node's own resource provider.
    :ivar traits: sorted, without the mark of a disabled service.
    :ivar aggregates: ids of the Placement aggregates of its own provider, sorted.
    """

    id: str
    inventory: Mapping[str, ResourceInventory]
    traits: tuple[str, ...] = ()
    aggregates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What is remembered of a node in one campaign; None: nothing. Times are aware.

    :ivar leased_at: when the lease was about to be taken.
    :ivar claim: id of the newest order (0: none) when the run was about to take the node out: later ones are
        ordered of a node in flight; None: it is not out.
    :ivar released_at: when the node was about to be given back.
    :ivar drain_started: when servers were about to be moved off the node, since its last precheck.
    :ivar upgrade_begun: when its software was about to be changed.
    :ivar restarted_at: when its service had been restarted with the new software.
    :ivar reboot: the reboot that was ordered last; None: none was.
    :ivar version: release of nova-compute that was last seen on the node.
    :ivar from_version: release that was seen first.
    :ivar from_components: the other components of the bundle as they were seen first, by name; one that
        nobody tells of is not among them.
    :ivar behind: other components of the bundle, with their versions, that were last seen not to be what it
        brings; the node is not at its target, whatever its nova-compute is.
    :ivar drain_plan: how the node is emptied, without the findings about its servers.
    :ivar flying: id of each server on its way, as seen last -> per cent copied; None: that is not told.
    :ivar last_migration: id of the newest migration of the node at its precheck (0: none).
    :ivar verified: the proof of verify; only a node that has one is enabled after its software was touched.
    :ivar agents: binaries of the Neutron agents that were alive at its precheck.
    :ivar totals: what it had of each resource class before its software was touched.
    :ivar provider: what Placement had of it then.
    :ivar strays: consumers of its allocations that were nobody's when the run looked at it first.
    :ivar move_slowness: how many times what was expected its moves took.
    :ivar cold_asked: ids of the servers whose cold migration was about to be asked for, since its precheck.
    :ivar leases: the exact disabled reasons that are the run's: the one it wrote last, and one that it was
        about to write when it was cut off.
    :ivar asked_round: which asking of the managers of its servers is going on, since its last precheck.
    :ivar addresses: floating IP -> id of the server that had it when the managers were asked.
    :ivar holders: HA group -> id of the member that was seen to have its service then.
    :ivar agreement: what came of it.
    :ivar standby_move: a standby's move that was about to be asked for, and is not seen to its end yet.
    :ivar refused_at: when a manager's refusal made the node give way to the others; None: it did not.
    :ivar login_refused_at: since when the node refuses the log-in; None: it does not.
    :ivar stops: the servers that ran and were stopped for the upgrade, or were about to be; they are never
        forgotten, whatever begins anew.
    :ivar approval: what a person answered after it was given back.
    :ivar crossing_asked: when a person was asked whether it may go out, as it cannot go back.
    :ivar crossing: what was answered to that.
    :ivar person_word: what a person decided about a node that was refused again.
    :ivar maintenance: that Masakari's host was put on maintenance by the run, or was about to be.
    :ivar images: the images of its servers that were taken before it was changed.
    :ivar silencing: that the node's alerts were silenced by the run, or were about to be.
    """

    leased_at: datetime | None = None
    claim: int | None = None
    released_at: datetime | None = None
    drain_started: datetime | None = None
    upgrade_begun: datetime | None = None
    restarted_at: datetime | None = None
    reboot: RebootOrder | None = None
    version: str | None = None
    from_version: str | None = None
    from_components: Mapping[str, str] | None = None
    behind: tuple[str, ...] = ()
    drain_plan: DrainPlan | UnreadablePlan | None = None
    flying: Mapping[str, int | None] | None = None
    last_migration: int = 0
    verified: Proof | None = None
    agents: tuple[str, ...] | None = None
    totals: Mapping[str, int] | None = None
    provider: ProviderFacts | None = None
    strays: tuple[str, ...] | None = None
    move_slowness: float | None = None
    cold_asked: tuple[str, ...] = ()
    leases: tuple[str, ...] = ()
    asked_round: int | None = None
    addresses: Mapping[str, str] | None = None
    holders: Mapping[str, str] | None = None
    agreement: Agreement | None = None
    standby_move: StandbyMove | None = None
    refused_at: datetime | None = None
    login_refused_at: datetime | None = None
    person_word: PersonWord | None = None
    approval: ApprovalAnswer | None = None
    crossing_asked: datetime | None = None
    crossing: ApprovalAnswer | None = None
    stops: tuple[ServerStop, ...] = ()
    maintenance: MaintenanceFlag | None = None
    silencing: Silencing | None = None
    images: tuple[ServerImage, ...] = ()

    @property
    def unmovable(self) -> frozenset[str]:
        """Return the ids of the servers that were found to be stopped as they cannot be moved."""
        return self.drain_plan.unmovable if isinstance(self.drain_plan, DrainPlan) else frozenset()

    @property
    def touched(self) -> bool:
        """Tell whether more than the lease of the node may have been changed since its last precheck."""
        touches = (self.drain_started, self.upgrade_begun, self.restarted_at)
        return any(moment is not None for moment in touches)


class FactChanges(TypedDict, total=False):
    """Facts to remember, by the names of ``NodeFacts``; None forgets one."""

    leased_at: datetime | None
    claim: int | None
    released_at: datetime | None
    drain_started: datetime | None
    upgrade_begun: datetime | None
    restarted_at: datetime | None
    reboot: RebootOrder | None
    version: str | None
    from_version: str | None
    from_components: Mapping[str, str] | None
    behind: tuple[str, ...]
    drain_plan: DrainPlan | None
    flying: Mapping[str, int | None] | None
    last_migration: int | None
    verified: Proof | None
    agents: tuple[str, ...] | None
    totals: Mapping[str, int] | None
    provider: ProviderFacts | None
    strays: tuple[str, ...] | None
    move_slowness: float | None
    cold_asked: tuple[str, ...]
    leases: tuple[str, ...]
    asked_round: int | None
    addresses: Mapping[str, str] | None
    holders: Mapping[str, str] | None
    agreement: Agreement | None
    standby_move: StandbyMove | None
    refused_at: datetime | None
    login_refused_at: datetime | None
    person_word: PersonWord | None
    approval: ApprovalAnswer | None
    crossing_asked: datetime | None
    crossing: ApprovalAnswer | None
    stops: tuple[ServerStop, ...]
    maintenance: MaintenanceFlag | None
    silencing: Silencing | None
    images: tuple[ServerImage, ...]
