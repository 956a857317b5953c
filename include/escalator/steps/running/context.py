"""What every step is given: the plan, the node, the cloud, a shell, the ledger, the clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from escalator.cloud_manager.cloud import Cloud
from escalator.ledger.ledger import Ledger
from escalator.ledger.records import StepAttempt
from escalator.model.bundle import Bundle
from escalator.model.campaign import CampaignPlan, NodeState, Step
from escalator.model.cloud import CloudSnapshot, ComputeService
from escalator.model.errors import LeaseLostError
from escalator.model.inventory import Inventory
from escalator.model.lease import LeaseMark
from escalator.model.verdict import Code
from escalator.system_support.mechanisms import NodeJob, NodeMechanism
from escalator.system_support.shell import ShellOnDemand
from escalator.system_support.ssh import NodeShell
from escalator.upgrade_manager.state.domains import domain_of

log = logging.getLogger("escalator.steps")

_TOUCHES = ("drain_started", "upgrade_begun", "restarted_at")
"""Facts of a node that is not what it was: only a proof lets it be enabled."""


def _as_it_is(snapshot: CloudSnapshot) -> CloudSnapshot:
    return snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignContext:
    """The campaign's side of a step: what holds for all of its nodes.

    :ivar mechanism: brings the bundle to the nodes.
    :ivar connect: opens a connection to a node.
    :ivar add_ha_groups: puts the HA groups that are known into a snapshot.
    """

    plan: CampaignPlan
    bundle: Bundle
    inventory: Inventory
    cloud: Cloud
    ledger: Ledger
    mechanism: NodeMechanism
    connect: Callable[[str], NodeShell]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    add_ha_groups: Callable[[CloudSnapshot], CloudSnapshot] = _as_it_is

    @property
    def key(self) -> tuple[str, str]:
        """Return what the ledger knows the campaign by: campaign and run id."""
        return self.plan.campaign, self.plan.run_id

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
        facts = self.ledger.facts(*self.key, "version")
        return {host: str(version) for host, version in facts.items()}

    def fetch_snapshot(
        self,
        *,
        targets: Sequence[str] | None = None,
        versions: Mapping[str, str] | None = None,
        with_agents: bool = False,
    ) -> CloudSnapshot:
        """Read the cloud, with its HA groups, as every decision of the campaign sees it.

        :param targets: hosts to upgrade; None: those of the plan.
        :param versions: what the nodes run; None: as this campaign last saw it.
        :param with_agents: read Neutron's agents as well: one call more.
        """
        snapshot = self.cloud.fetch_snapshot(
            self.plan.request.cloud,
            domain_of=domain_of,
            target_version=self.plan.target_version,
            node_versions=self.known_versions() if versions is None else versions,
            targets=self.plan.hosts if targets is None else targets,
            with_agents=with_agents,
        )
        return self.add_ha_groups(snapshot)


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
    def ledger(self) -> Ledger:
        """Return the ledger."""
        return self.campaign.ledger

    @property
    def touched(self) -> bool:
        """Tell whether more than the lease of the node may have been changed since its last precheck."""
        return any(self.fact(key) is not None for key in _TOUCHES)

    def now(self) -> datetime:
        """Return the time, aware."""
        return self.campaign.clock()

    def ensure_current(self) -> None:
        """Refuse to write when a newer attempt at this node has begun.

        :raises SupersededError: this attempt is not the newest of its node.
        """
        self.ledger.check_fence(self.attempt)

    def ensure_leased(self) -> ComputeService:
        """Read the node's service and refuse to go on without our lease on it.

        :return: the service, as read.
        :raises LeaseLostError: the node is enabled, or disabled by somebody else.
        """
        service = self.cloud.fetch_service(self.host)
        if not self.plan.lease(self.host).same_holder(service.lease):
            found = f"{service.status}, reason {service.disabled_reason!r}"
            raise LeaseLostError(
                f"{self.host} is not leased by this run any more: {found}",
                remedy="find out who changed it; nothing more is done to this node by this run",
            )
        self.ensure_current()
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
        self.ledger.set_progress(
            *self.campaign.key,
            self.host,
            state,
            code=code,
            message=message,
            mark=mark,
            now=self.now(),
            attempt=self.attempt,
        )
        log.info("%s: %s %s", self.host, state, message)

    def put_fact(self, key: str, value: object) -> None:
        """Remember a fact about the node in this campaign, over attempts and steps."""
        self.ledger.put_fact(*self.campaign.key, self.host, key, value)

    def fact(self, key: str) -> object | None:
        """Recall a fact about the node in this campaign."""
        value: object = self.ledger.fact(*self.campaign.key, self.host, key)
        return value
