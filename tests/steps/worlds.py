"""A world for the steps: the small cloud, nodes with software on them, a real ledger, a clock of our own."""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from tests.steps.fake_cloud import FakeCloud
from tests.steps.fake_records import DOMAIN, START, Clock, Fuse, Guest

from escalator.ledger.database import _begin_sqlite, _prepare_sqlite
from escalator.ledger.ledger import Ledger
from escalator.ledger.records import StepAttempt
from escalator.ledger.tables import dump_json
from escalator.model.bundle import Bundle, Component, VenvMechanism
from escalator.model.campaign import CampaignPlan, CampaignRequest, NodeProgress, Step
from escalator.model.cloud import CloudSnapshot, ComputeService, HaGroup, ServiceStatus
from escalator.model.decisions import AdmissionDecision
from escalator.model.errors import EscalatorError
from escalator.model.inventory import Inventory, InventoryNode
from escalator.model.moves import MoveRecord
from escalator.steps.running.context import CampaignContext, StepContext
from escalator.steps.running.results import StepResult
from escalator.steps.running.run_step import begin, run_admit, run_step
from escalator.system_support.venv_mechanism import InstalledVersion, Outcome

OLD, NEW = "33.0.2", "34.0.0"
NODE = "node-01"
BUNDLE = Bundle(
    name="nova-34",
    components=(Component(name="nova-compute", to=NEW),),
    mechanism=VenvMechanism(venv="/opt/nova/venv", package="nova", service="nova-compute"),
)
BUNDLE_DOCUMENT = {"schema": "escalator.bundle/1", "name": "nova-34"}
_RUNS = itertools.count(1)


class QuickLedger(Ledger):
    """The real ledger on one open connection; every write is a place to be killed before."""

    fuse: Fuse = Fuse()

    @classmethod
    def at(cls, path: Path) -> QuickLedger:
        """Make a ledger in a file."""
        ledger = cls.create_or_upgrade(f"sqlite:///{path}")
        engine = sa.create_engine(
            ledger._database.url, poolclass=sa.pool.StaticPool, json_serializer=dump_json
        )
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        ledger._database.engine = engine
        return ledger

    def set_progress(self, *args: Any, **kwargs: Any) -> None:
        self.fuse.burn()
        super().set_progress(*args, **kwargs)

    def begin_step(self, *args: Any, **kwargs: Any) -> StepAttempt:
        self.fuse.burn()
        return super().begin_step(*args, **kwargs)

    def finish_step(self, *args: Any, **kwargs: Any) -> None:
        self.fuse.burn()
        super().finish_step(*args, **kwargs)

    def put_fact(self, *args: Any, **kwargs: Any) -> None:
        self.fuse.burn()
        super().put_fact(*args, **kwargs)

    def record_move(self, *args: Any, **kwargs: Any) -> None:
        self.fuse.burn()
        super().record_move(*args, **kwargs)


@dataclass
class NodeSoftware:
    """What is on a node; the fake of the mechanism works on it."""

    host: str
    fuse: Fuse
    running: str | None = OLD
    installed: str = OLD
    staged: set[str] = field(default_factory=set)
    alive: bool = True
    switched: int = 0
    stage_faults: list[EscalatorError] = field(default_factory=list)
    activate_faults: list[EscalatorError] = field(default_factory=list)
    unreachable: list[EscalatorError] = field(default_factory=list)
    starts_as: str | None = None

    def stage(self, version: str) -> Outcome:
        self.fuse.burn()
        if self.stage_faults:
            raise self.stage_faults.pop(0)
        done = version in self.staged
        self.staged.add(version)
        self.fuse.burn()
        return Outcome.ALREADY_STAGED if done else Outcome.STAGED

    def activate(self, version: str) -> Outcome:
        self.fuse.burn()
        if (self.installed, self.running) == (version, version):
            return Outcome.ALREADY_ACTIVE
        self.switched += 1
        self.installed = version
        if self.activate_faults:
            self.running = None
            raise self.activate_faults.pop(0)
        self.running = self.starts_as or version
        self.fuse.burn()
        return Outcome.ACTIVATED

    def read(self) -> InstalledVersion:
        return InstalledVersion(
            target=f"/opt/nova/venv-{self.installed}",
            version=self.installed,
            running=self.running,
            previous=None,
            main_pid=1 if self.alive else None,
            active=self.alive,
        )


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
    pinned: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.cloud = FakeCloud(clock=self.clock, fuse=self.fuse)
        for host in self.hosts:
            self.cloud.add_host(host)
        self.nodes = {host: NodeSoftware(host=host, fuse=self.fuse) for host in self.hosts}
        self.plan = self.make_plan(f"run-{next(_RUNS)}")
        self.ledger.fuse = self.fuse
        if self.opened:
            self.open(self.plan)

    def make_plan(self, run_id: str, **asked: Any) -> CampaignPlan:
        request = {"cloud": "lab", "domain": DOMAIN, "bundle": "nova-34", "migration_timeout_seconds": 30}
        return CampaignPlan(
            campaign="upgrade__lab",
            run_id=run_id,
            request=CampaignRequest(**{**request, **self.asked, **asked}),  # type: ignore[arg-type]
            hosts=self.hosts,
            target_version=NEW,
        )

    def open(self, plan: CampaignPlan) -> None:
        self.ledger.open_campaign(
            plan,
            dag_id=plan.campaign,
            run_id=plan.run_id,
            bundle_document=BUNDLE_DOCUMENT,
            snapshot_before={"cloud": "lab"},
            now=START,
        )

    def context(self, plan: CampaignPlan | None = None) -> CampaignContext:
        return CampaignContext(
            plan=plan or self.plan,
            bundle=self.bundle,
            inventory=Inventory(
                cloud="lab",
                taken_at=START,
                nodes=tuple(InventoryNode(host=h, domain=DOMAIN, address=h) for h in self.hosts),
            ),
            cloud=cast("Any", self.cloud),
            ledger=self.ledger,
            connect=cast("Any", self.connect),
            clock=self.clock,
            sleep=self.clock.sleep,
            add_ha_groups=self.add_ha_groups,
        )

    def add_ha_groups(self, snapshot: CloudSnapshot) -> CloudSnapshot:
        """Make load-balanced groups of the pairs of guests that the world knows; pinned ones cannot move."""
        group_of = {guest: f"ha-{pair[0]}" for pair in self.pairs for guest in pair}
        servers = [
            replace(s, ha_group=group_of[s.id], ha_role="member") if s.id in group_of else s
            for s in snapshot.servers
        ]
        servers = [replace(s, migration="none") if s.id in self.pinned else s for s in servers]
        groups = [HaGroup(id=f"ha-{pair[0]}", mode="load-balanced", members=pair) for pair in self.pairs]
        return replace(snapshot, servers=tuple(servers), ha_groups=tuple(groups))

    def connect(self, host: str) -> AbstractContextManager[NodeSoftware]:
        node = self.nodes[host]
        if node.unreachable:
            raise node.unreachable.pop(0)
        return nullcontext(node)

    # what Airflow does

    def admit(self, host: str = NODE, *, plan: CampaignPlan | None = None) -> AdmissionDecision:
        self.tries += 1
        return run_admit(self.context(plan), host, try_number=self.tries)

    def run(self, step: Step, host: str = NODE, *, last_try: bool = False) -> StepResult:
        self.tries += 1
        return run_step(self.context(), host, step, try_number=self.tries, last_try=last_try)

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

    # what a test looks at

    def progress(self, host: str = NODE) -> NodeProgress:
        return self.ledger.progress(self.plan.campaign, self.plan.run_id, host)

    def fact(self, key: str, host: str = NODE) -> Any:
        return self.ledger.fact(self.plan.campaign, self.plan.run_id, host, key)

    def moves(self, host: str = NODE) -> tuple[MoveRecord, ...]:
        return self.ledger.moves(self.plan.campaign, self.plan.run_id, host)

    def service(self, host: str = NODE) -> ComputeService:
        return self.cloud._service(host)

    def enabled(self, host: str = NODE) -> bool:
        return self.service(host).status is ServiceStatus.ENABLED

    def holds_lease(self, host: str = NODE) -> bool:
        return self.plan.lease(host).same_holder(self.service(host).lease)

    def verbs(self) -> list[str]:
        return [w.verb for w in self.cloud.writes]

    def boot(self, name: str, host: str = NODE, **fields: Any) -> Guest:
        return self.cloud.boot(name, host, **fields)
