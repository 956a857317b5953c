"""A world for the steps: the small cloud, nodes with software on them, a real ledger, a clock of our own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from tests.builders import DOMAIN, make_plan
from tests.steps.fake_boots import FakeBoots
from tests.steps.fake_cloud import FakeCloud
from tests.steps.fake_instance_ha import FakeInstanceHa
from tests.steps.fake_mechanism import FakeMechanism, NodeSoftware
from tests.steps.fake_records import START, Clock, Fuse, Guest, KilledError
from tests.steps.quick_ledger import QuickLedger as QuickLedger  # noqa: PLC0414
from tests.steps.quick_ledger import QuickRun as QuickRun  # noqa: PLC0414
from tests.steps.quick_ledger import dump_run as dump_run  # noqa: PLC0414
from tests.steps.quick_ledger import restore_run as restore_run  # noqa: PLC0414
from tests.vim_interface.scaling.fakes import FakeQuotas
from tests.vim_interface.switching.fakes import FakeNetwork

from escalator.alerts.watch import AlertWatch
from escalator.backups.desk import BackupDesk
from escalator.ledger.campaign_record import CampaignRecord
from escalator.ledger.run import CampaignRun
from escalator.model.bundle import Bundle, Component, VenvMechanism
from escalator.model.campaign import CampaignPlan, NodeProgress, Step
from escalator.model.cloud import CloudSnapshot, ComputeService, HaGroup, ServiceStatus
from escalator.model.decisions import AdmissionDecision
from escalator.model.errors import EscalatorError
from escalator.model.inventory import Inventory, InventoryNode
from escalator.model.lease import Lease, LeaseMark, LeasePhase
from escalator.model.moves import DrainPlan, MoveRecord
from escalator.model.node_facts import NodeFacts
from escalator.model.order import Order, Verb
from escalator.model.run_life import FindLife, ask_nobody
from escalator.model.server_image import ImagePolicy
from escalator.orders.judging import CONFIRMATIONS, Asked, judge_order
from escalator.steps.running.context import CampaignContext, StepContext
from escalator.steps.running.giving_way import Ended, run_or_give_way
from escalator.steps.running.results import StepResult
from escalator.steps.running.run_step import begin, run_admit, run_step
from escalator.system_support.mechanisms import (
    HookCommands,
    NodeJob,
    NodeMechanism,
    choose_mechanism,
    turn_around,
)
from escalator.system_support.power import PowerSwitch
from escalator.vim_interface.desk import VimDesk
from escalator.vim_interface.registry import SwitchMeans, Vnfms

OLD, NEW = "33.0.2", "34.0.0"
NODE = "node-01"
BUNDLE = Bundle(
    name="nova-34",
    components=(Component(name="nova-compute", to=NEW),),
    mechanism=VenvMechanism(venv="/opt/nova/venv", package="nova", service="nova-compute"),
)
BUNDLE_DOCUMENT = {
    "schema": "escalator.bundle/1",
    "name": "nova-34",
    "components": [{"name": "nova-compute", "to": NEW}],
    "mechanism": {"type": "venv", "venv": "/opt/nova/venv", "package": "nova", "service": "nova-compute"},
    "rollback": {"supported": True},
}
EMPTY_CLOUD = {"schema": "escalator.snapshot/1", "cloud": "lab", "taken_at": START.isoformat(), "nodes": []}
ROLES = ("active", "standby", "standby")
_RUNS = itertools.count(1)


@dataclass
class World:
    """One campaign over a small cloud, its steps run one by one."""

    ledger: QuickLedger
    hosts: tuple[str, ...] = (NODE, "node-02", "node-03")
    asked: dict[str, Any] = field(default_factory=dict)
    bundle: Bundle = BUNDLE
    clock: Clock = field(default_factory=Clock)
    fuse: Fuse = field(default_factory=Fuse)
    opened: bool = True
    tries: int = 0
    pairs: tuple[tuple[str, str], ...] = ()
    mode: str = "load-balanced"
    pinned: frozenset[str] = frozenset()
    leads: dict[str, float] = field(default_factory=dict)
    bears: dict[str, float] = field(default_factory=dict)
    connections: list[str] = field(default_factory=list)
    desk: VimDesk | None = None
    means: SwitchMeans | None = None
    find_life: FindLife = ask_nobody
    power: PowerSwitch | None = None
    catalogued: set[str] = field(default_factory=set)
    backups: BackupDesk | None = None
    images: ImagePolicy | None = None
    alerts: AlertWatch | None = None
    hooked: list[HookCommands] = field(default_factory=list)
    hook_faults: dict[str, EscalatorError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cloud = FakeCloud(clock=self.clock, fuse=self.fuse)
        cast("Any", self.cloud).network = FakeNetwork()
        cast("Any", self.cloud).load_balancers = None
        cast("Any", self.cloud).quotas = FakeQuotas()
        self.masakari = FakeInstanceHa(self.fuse)
        cast("Any", self.cloud).instance_ha = self.masakari
        cast("Any", self.cloud).has_service = self.catalogued.__contains__
        for host in self.hosts:
            self.cloud.add_host(host)
        self.nodes = {
            host: NodeSoftware(
                host=host, fuse=self.fuse, running=OLD, installed=OLD, boots=FakeBoots(clock=self.clock)
            )
            for host in self.hosts
        }
        self.plan = self.make_plan(f"run-{next(_RUNS)}")
        self.ledger.fuse = self.fuse
        if self.opened:
            self.open(self.plan)

    def make_plan(self, run_id: str, **asked: Any) -> CampaignPlan:
        wanted = {"domain": DOMAIN, "migration_timeout_seconds": 30, **self.asked, **asked}
        return make_plan(*self.hosts, run_id=run_id, target_version=NEW, **wanted)

    def open(self, plan: CampaignPlan) -> None:
        self.ledger.run(plan.campaign, plan.run_id).open(
            plan,
            dag_id=plan.campaign,
            bundle_document=BUNDLE_DOCUMENT,
            snapshot_before=EMPTY_CLOUD,
            now=START,
        )

    def record(self, plan: CampaignPlan) -> CampaignRecord:
        return CampaignRecord(plan=plan, bundle=self.bundle, run=self.ledger.run(plan.campaign, plan.run_id))

    def context(self, plan: CampaignPlan | None = None) -> CampaignContext:
        return CampaignContext(
            record=self.record(plan or self.plan),
            inventory=Inventory(
                cloud="lab",
                taken_at=START,
                nodes=tuple(InventoryNode(host=h, domain=DOMAIN, address=h) for h in self.hosts),
                images=self.images,
            ),
            cloud=cast("Any", self.cloud),
            mechanism=self.mechanism(),
            connect=cast("Any", self.connect),
            clock=self.clock,
            sleep=self.clock.sleep,
            add_ha_groups=self.add_ha_groups,
            desk=self.desk,
            find_life=self.find_life,
            switches=self.ledger.switches(),
            quotas=self.ledger.quotas(),
            watches=self.ledger.watches(),
            alerts=self.alerts,
            find_means=(lambda _: means) if (means := self.means) is not None else None,
            vnfms=self.desk.vnfms if self.desk is not None else Vnfms(),
            run_hook=self.run_hook,
            find_power=lambda _host: self.power,
            backups=self.backups,
        )

    def run_hook(self, job: NodeJob, hook: HookCommands) -> str:
        """Note that hooks were run, on a node of that version; a fault that waits for them is raised."""
        self.fuse.burn()
        self.hooked.append(hook)
        fault = self.hook_faults.pop(hook.when, None)
        if fault is not None:
            raise fault
        self.fuse.burn()
        return f"{hook.when} on {hook.host}: {self.nodes[hook.host].running} to {job.version}\n"

    def mechanism(self) -> NodeMechanism:
        """Return the fake for a bundle that brings software, else what is really chosen."""
        brought = self.bundle.mechanism
        chosen = FakeMechanism() if isinstance(brought, VenvMechanism) else choose_mechanism(brought)
        return turn_around(chosen, self.bundle, self.plan.undoes)

    def add_ha_groups(self, snapshot: CloudSnapshot) -> CloudSnapshot:
        """Make groups of the pairs of guests that the world knows; pinned ones cannot move.

        Where the mode is active-standby, the first one of a pair is declared to be its active member. Some
        are given a lead time of their own, or say what interruption they bear.
        """
        paired = self.mode == "active-standby"
        role_of = {guest: role for pair in self.pairs for guest, role in zip(pair, ROLES, strict=False)}
        group_of = {guest: f"ha-{pair[0]}" for pair in self.pairs for guest in pair}
        servers = [
            replace(s, ha_group=group_of[s.id], ha_role=role_of[s.id] if paired else "member")
            if s.id in group_of
            else s
            for s in snapshot.servers
        ]
        servers = [replace(s, migration="none") if s.id in self.pinned else s for s in servers]
        servers = [
            replace(s, lead_seconds=self.leads.get(s.id, 0.0), max_interruption_seconds=self.bears.get(s.id))
            for s in servers
        ]
        groups = [HaGroup(id=f"ha-{pair[0]}", mode=self.mode, members=pair) for pair in self.pairs]
        return replace(snapshot, servers=tuple(servers), ha_groups=tuple(groups))

    def connect(self, host: str) -> AbstractContextManager[NodeSoftware]:
        self.connections.append(host)
        node = self.nodes[host]
        if node.unreachable:
            raise node.unreachable.pop(0)
        node.boots.check_answers()
        return nullcontext(node)

    # what Airflow does

    def admit(self, host: str = NODE, *, plan: CampaignPlan | None = None) -> AdmissionDecision:
        self.tries += 1
        return run_admit(self.context(plan), host, try_number=self.tries)

    def run(self, step: Step, host: str = NODE, *, last_try: bool = False) -> StepResult:
        self.tries += 1
        return run_step(self.context(), host, step, try_number=self.tries, last_try=last_try)

    def turn(self, step: Step, host: str = NODE) -> Ended:
        """Run a step as Airflow does: before switchover the lease may have to be taken again."""
        self.tries += 1
        return run_or_give_way(self.context(), host, step, try_number=self.tries, last_try=False)

    def kill(self, step: Step, host: str = NODE, *, at: Callable[[str], object]) -> None:
        """Run a step, and kill its process when a call that it makes to the cloud is the one meant.

        :param at: tells it by the name of the method.
        """

        def before(method: str) -> None:
            if at(method):
                self.cloud.before = None
                raise KilledError

        self.cloud.before = before
        with pytest.raises(KilledError):
            self.run(step, host)

    def run_up_to(self, last: Step, host: str = NODE) -> StepResult | None:
        """Run the steps in order, through the last one; return its result."""
        self.admit(host)
        result = None
        for step in list(Step)[1 : list(Step).index(last) + 1]:
            result = self.run(step, host)
        return result

    def begin(self, step: Step, host: str = NODE) -> StepContext:
        self.tries += 1
        return begin(self.context(), host, step, try_number=self.tries)

    def order(self, verb: Verb, host: str | None = None, *, reason: str = "smoke") -> Order:
        """Order something, as a person does; moves are confirmed as they have to be."""
        confirmed = (host,) * CONFIRMATIONS if host is not None else ()
        asked = Asked(verb=verb, host=host, by="ann", reason=reason, confirmed=confirmed)
        return self.recorded.orders().insert(asked, judge=judge_order, now=self.clock()).order

    # what a test looks at

    @property
    def recorded(self) -> CampaignRun:
        """The run of the plan as it is now."""
        return self.ledger.run(self.plan.campaign, self.plan.run_id)

    def progress(self, host: str = NODE) -> NodeProgress:
        return self.recorded.progress(host)

    def facts(self, host: str = NODE) -> NodeFacts:
        return self.recorded.facts(host)

    def drain_plan(self, host: str = NODE) -> DrainPlan:
        plan = self.facts(host).drain_plan
        assert isinstance(plan, DrainPlan)
        return plan

    def moves(self, host: str = NODE) -> tuple[MoveRecord, ...]:
        return self.recorded.moves(host)

    def service(self, host: str = NODE) -> ComputeService:
        return self.cloud._service(host)

    def enabled(self, host: str = NODE) -> bool:
        return self.service(host).status is ServiceStatus.ENABLED

    def take(
        self,
        host: str = NODE,
        *,
        mark: LeaseMark | None = None,
        phase: LeasePhase = LeasePhase.ADMITTED,
        words: str | None = None,
    ) -> Lease:
        """Put the run's own lease on a node, as its steps would have: in the cloud and in the ledger."""
        lease = self.plan.lease(host).marked(mark, words).at(phase).renewed()
        self.recorded.remember(host, leases=(lease.render(),))
        self.cloud.person_disables(host, lease.render())
        return lease

    def holds_lease(self, host: str = NODE) -> bool:
        return self.service(host).disabled_reason in self.facts(host).leases

    def verbs(self) -> list[str]:
        return [w.verb for w in self.cloud.writes]

    def boot(self, name: str, host: str = NODE, **fields: Any) -> Guest:
        return self.cloud.boot(name, host, **fields)
