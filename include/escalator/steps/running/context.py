"""What every step is given: the plan, the node, the cloud, a shell, the ledger, the clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Unpack

from escalator.alerts.watch import AlertWatch
from escalator.backups.desk import BackupDesk
from escalator.cloud_manager.cloud import Cloud
from escalator.events.teller import NOBODY, Teller
from escalator.ledger.campaign_record import CampaignRecord
from escalator.ledger.facts import describe_unreadable
from escalator.ledger.quota_book import QuotaBook
from escalator.ledger.records import StepAttempt
from escalator.ledger.run import CampaignRun
from escalator.ledger.switch_book import SwitchBook
from escalator.ledger.watch_book import WatchBook
from escalator.model.bundle import Bundle
from escalator.model.campaign import CampaignPlan, NodeState, Step
from escalator.model.canary import CanaryWish
from escalator.model.cloud import CloudSnapshot, ComputeService, Server, ServiceStatus
from escalator.model.errors import LeaseLostError, NotFoundError
from escalator.model.inventory import Inventory
from escalator.model.known_lease import KnownLease
from escalator.model.lease import Lease, LeaseMark, LeasePhase
from escalator.model.moves import DrainPlan
from escalator.model.node_facts import FactChanges, NodeFacts, UnreadablePlan
from escalator.model.run_life import FindLife, ask_nobody
from escalator.model.switch import SwitchRecord
from escalator.model.verdict import Code
from escalator.system_support.mechanisms import NodeJob, NodeMechanism, RunHook, run_hook
from escalator.system_support.node_software import is_wanted
from escalator.system_support.power import PowerSwitch
from escalator.system_support.shell import ShellOnDemand
from escalator.system_support.ssh import NodeShell
from escalator.upgrade_manager.drain.durations import compute_job_limit_seconds
from escalator.upgrade_manager.state.domains import domain_of
from escalator.upgrade_manager.state.roles import apply_switchovers
from escalator.upgrade_manager.state.targets import mark_pending
from escalator.vim_interface.desk import VimDesk
from escalator.vim_interface.registry import SwitchMeans, Vnfms

log = logging.getLogger("escalator.steps")


def _as_it_is(snapshot: CloudSnapshot) -> CloudSnapshot:
    return snapshot


def find_no_leases(_snapshot: CloudSnapshot) -> tuple[KnownLease, ...]:
    """Find no lease: nobody asks whose they are."""
    return ()


def find_no_power(_host: str) -> PowerSwitch | None:
    """Find no switch: nobody switches the power of nodes from outside."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignContext:
    """The campaign's side of a step: its record, and the means to carry it out.

    :ivar mechanism: brings the bundle to the nodes.
    :ivar connect: opens a connection to a node.
    :ivar run_hook: runs the bundle's own commands there.
    :ivar add_ha_groups: puts the HA groups that are known into a snapshot.
    :ivar desk: speaks with the managers of VNFs; None: there is nobody to speak with.
    :ivar switches: the book of switchovers; :ivar quotas: that of frozen quotas.
    :ivar find_means: says how the groups of a snapshot are switched over and probed; None: none says it.
    :ivar vnfms: who is registered; who is spoken with has the desk.
    :ivar find_leases: says whose the leases of a snapshot are; who does not ask for them knows of none.
    :ivar find_life: says whether another run lives.
    :ivar watches: the book of what was told to those that watch the cloud.
    :ivar alerts: the monitoring system of the cloud; None: the operator has declared none.
    :ivar find_power: gives the switch of a node's power; None: the operator has declared none.
    :ivar teller: tells files, logs, metrics and people what happens.
    :ivar backups: saves what a node has before it is changed; None: the operator has declared no store.
    """

    record: CampaignRecord
    inventory: Inventory
    cloud: Cloud
    mechanism: NodeMechanism
    connect: Callable[[str], NodeShell]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    add_ha_groups: Callable[[CloudSnapshot], CloudSnapshot] = _as_it_is
    find_leases: Callable[[CloudSnapshot], tuple[KnownLease, ...]] = find_no_leases
    find_life: FindLife = ask_nobody
    desk: VimDesk | None = None
    switches: SwitchBook | None = None
    quotas: QuotaBook | None = None
    find_means: Callable[[CloudSnapshot], SwitchMeans] | None = None
    vnfms: Vnfms = field(default_factory=Vnfms)
    run_hook: RunHook = run_hook
    find_power: Callable[[str], PowerSwitch | None] = find_no_power
    watches: WatchBook | None = None
    backups: BackupDesk | None = None
    alerts: AlertWatch | None = None
    teller: Teller = NOBODY

    @property
    def plan(self) -> CampaignPlan:
        """Return what is to be done."""
        return self.record.plan

    @property
    def bundle(self) -> Bundle:
        """Return what the nodes are brought to."""
        return self.record.bundle

    @property
    def canary(self) -> CanaryWish:
        """Return what canaries are to be made of: as the bundle says, else as the connection of the cloud."""
        return self.bundle.canary.over(self.cloud.canary)

    @property
    def run(self) -> CampaignRun:
        """Return the campaign's run in the ledger."""
        return self.record.run

    def shell(self, host: str) -> ShellOnDemand:
        """Return a shell on a node; it connects at its first command, if there is one."""
        return ShellOnDemand(host, partial(self.connect, host))

    def node_job(self, host: str, purpose: str, *, within: timedelta) -> NodeJob:
        """Make a job that brings the target version to a node.

        :param purpose: part of the job's id: a second job of that node and purpose joins the first.
        :param within: from now on; then it is given up.
        """
        return NodeJob(
            connect=partial(self.connect, host),
            version=self.plan.target_version,
            job_id=f"{self.plan.lease(host).token}-{purpose}",
            deadline=self.clock() + within,
            clock=self.clock,
            sleep=self.sleep,
        )

    def known_versions(self) -> dict[str, str]:
        """Return the nova-compute version of each node, as this campaign last saw it over SSH."""
        return self.run.versions()

    def fetch_snapshot(
        self,
        *,
        targets: Sequence[str] | None = None,
        versions: Mapping[str, str] | None = None,
        behind: Collection[str] = (),
        for_check: bool = False,
        afresh: Sequence[str] = (),
        watched_within: float | None = None,
    ) -> CloudSnapshot:
        """Read the cloud, with its HA groups, as every decision of the campaign sees it.

        :param targets: hosts to upgrade; None: those of the plan.
        :param versions: what the nodes run; None: as this campaign last saw it.
        :param behind: hosts of which another component is not at its target; counts beside ``versions``.
        :param for_check: read Neutron's agents and what Nova tells of its control plane as well: three calls
            more. What the user may not read is named in the snapshot, for the check to say.
        :param afresh: hosts whose own servers are what the caller decides about: they are always listed.
        :param watched_within: a look of all who keep watch will do that is at most so many seconds old.
        """
        snapshot = self.cloud.fetch_snapshot(
            self.plan.request.cloud,
            domain_of=domain_of,
            target_version=self.plan.target_version,
            node_versions=self.known_versions() if versions is None else versions,
            targets=self.plan.hosts if targets is None else targets,
            cells=self.inventory.cells(),
            aggregates=self.inventory.aggregates,
            with_agents=for_check,
            with_control_plane=for_check,
            may_lack=for_check,
            afresh=afresh,
            watched_within=watched_within,
        )
        snapshot = mark_pending(snapshot, self.find_behind() if versions is None else behind)
        return apply_switchovers(self.add_ha_groups(snapshot), self.find_switches())

    def find_behind(self) -> frozenset[str]:
        """Return the nodes that have another component that is not at its target, as last seen."""
        return self.run.find_behind() if self.may_be_behind else frozenset()

    @property
    def may_be_behind(self) -> bool:
        """Tell whether a node with the right nova-compute may not be at its target all the same."""
        return len(self.bundle.components) > 1 or self.plan.restores is not None

    @property
    def reads_software(self) -> bool:
        """Tell whether nodes are asked what they run: their bundle may change it."""
        return is_wanted(brings_software=self.mechanism.brings_software, reboot=self.bundle.reboot)

    def find_switches(self) -> tuple[SwitchRecord, ...]:
        """Return the switchovers of the run so far."""
        return self.switches.of_run(self.run.campaign, self.run.run_id) if self.switches is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """One attempt at one step of one node."""

    campaign: CampaignContext
    host: str
    step: Step
    attempt: StepAttempt = field(repr=False)

    @property
    def plan(self) -> CampaignPlan:
        """Return the campaign's plan."""
        return self.campaign.plan

    @property
    def cloud(self) -> Cloud:
        """Return the cloud."""
        return self.campaign.cloud

    @property
    def run(self) -> CampaignRun:
        """Return the campaign's run in the ledger."""
        return self.campaign.run

    @property
    def facts(self) -> NodeFacts:
        """Return what is remembered of the node in this campaign; read anew each time."""
        return self.run.facts(self.host)

    def fetch_snapshot(self) -> CloudSnapshot:
        """Read the cloud; the servers of this node are listed, however those of the others are known."""
        return self.campaign.fetch_snapshot(afresh=(self.host,))

    def remember(self, **changes: Unpack[FactChanges]) -> None:
        """Remember facts about the node in this campaign, over attempts and steps; None forgets one.

        :raises SupersededError: this attempt is not the newest of its node; nothing was remembered.
        """
        self.run.remember(self.host, self.attempt, **changes)

    def recorded_plan(self) -> DrainPlan | None:
        """Return the drain plan that was recorded last; None when there is none.

        :raises InvalidRequestError: this release does not read it.
        """
        plan = self.facts.drain_plan
        if isinstance(plan, UnreadablePlan):
            raise describe_unreadable(self.host, plan.why)
        return plan

    def planned_drain(self) -> DrainPlan:
        """Return the drain plan that precheck made.

        :raises InvalidRequestError: there is none, or this release does not read it.
        """
        plan = self.recorded_plan()
        if plan is None:
            raise describe_unreadable(self.host, "there is no drain plan")
        return plan

    def node_job(self, purpose: str) -> NodeJob:
        """Make one of the node's jobs; what it may take begins now.

        :param purpose: part of the job's id.
        """
        limit = compute_job_limit_seconds(self.campaign.bundle, self.plan.expected)
        return self.campaign.node_job(self.host, purpose, within=timedelta(seconds=limit))

    def now(self) -> datetime:
        """Return the time, aware."""
        return self.campaign.clock()

    def ensure_current(self) -> None:
        """Refuse to write when a newer attempt at this node has begun.

        :raises SupersededError: this attempt is not the newest of its node.
        """
        self.run.check_fence(self.attempt)

    def find_server(self, server_id: str) -> Server | None:
        """Look at a server, wherever it is; None when it was deleted."""
        try:
            return self.cloud.fetch_server(server_id)
        except NotFoundError:
            return None

    def ensure_leased(self) -> ComputeService:
        """Read the node's service and refuse to go on without our lease on it, word for word as we wrote it.

        :return: the service, as read.
        :raises LeaseLostError: the node is enabled, or disabled by somebody else, or its service was deleted,
            or the ledger is not the one that the lease was written from.
        """
        try:
            service = self.cloud.fetch_service(self.host)
        except NotFoundError as exc:
            remedy = "find out who deleted the service of this node"
            raise LeaseLostError(str(exc), remedy=remedy, code=Code.LEASE_LOST) from exc
        if not self.holds(service):
            raise LeaseLostError(
                f"{self.host} is not leased by this run any more: {self.describe_loss(service)}",
                remedy="find out who changed it; nothing more is done to this node by this run",
                code=Code.LEASE_LOST,
            )
        self.ensure_current()
        return service

    def holds(self, service: ComputeService) -> bool:
        """Tell whether a service is disabled with exactly what this run wrote last."""
        return service.status is ServiceStatus.DISABLED and service.disabled_reason in self.facts.leases

    def describe_loss(self, service: ComputeService) -> str:
        """Say how a service differs from what this run left."""
        if service.status is ServiceStatus.ENABLED:
            return "somebody enabled it"
        found = f"its reason is {service.disabled_reason!r}"
        if not self.plan.owns(service):
            return f"{found}, which is another's"
        written = self.facts.leases
        if not written:
            return (
                f"{found}, which the ledger knows nothing of: the ledger is not the one it was written from"
            )
        return f"{found}, which is not what this run wrote ({written[-1]!r})"

    def ensure_phase(self, phase: LeasePhase) -> ComputeService:
        """See that our lease on the node says how far the node gets now; a second run writes nothing.

        That its software may be another is never taken back by a drain.

        :return: the service, as read.
        :raises LeaseLostError: the lease is not ours any more.
        """
        service = self.ensure_leased()
        found = service.lease.phase if service.lease is not None else None
        later = phase is LeasePhase.DRAINING and found is not None and found.software_touched
        if service.lease is None or found is phase or later:
            return service
        return self.write_lease(service.lease.at(phase))

    def write_lease(self, lease: Lease) -> ComputeService:
        """Write a lease over an enabled service, or over exactly what this run wrote before.

        What is about to be written is remembered first: cut off at any moment, the run knows its own words.

        :return: the service as read back.
        :raises LeaseLostError: somebody else's reason is there.
        """
        ours = self.facts.leases
        text = lease.renewed().render()
        self.remember(leases=(*ours, text))
        service = self.cloud.ensure_disabled(self.host, text, over=ours)
        self.remember(leases=(text,))
        return service

    def progress(
        self,
        state: NodeState,
        code: Code | None = None,
        message: str = "",
        *,
        mark: LeaseMark | None = None,
    ) -> None:
        """Record how the node stands, and say so in the log.

        :raises SupersededError: this attempt is not the newest of its node; nothing was recorded.
        """
        self.run.set_progress(
            self.host,
            state,
            code=code,
            message=message,
            mark=mark,
            now=self.now(),
            attempt=self.attempt,
        )
        log.info("%s: %s %s", self.host, state, message)
