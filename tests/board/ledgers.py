"""Ledgers with a campaign in the middle of its way, as its steps would have left them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from tests.builders import NOW, make_busy_node, make_cloud, make_pair, make_plan, make_server

from escalator.cloud_manager.snapshots import snapshot_to_document
from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document
from escalator.ledger.run import CampaignRun
from escalator.ledger.tables import Base, CampaignRow, FactRow, NodeRow, StepRow
from escalator.model.campaign import NodeState, Step
from escalator.model.cloud import Server
from escalator.model.interruption import Gap, ProbeMethod
from escalator.model.moves import DrainPlan, MoveMethod, MoveRecord, PlannedMove
from escalator.model.step import Outcome
from escalator.model.verdict import Code

DAG = "upgrade__lab__cell1-az1-general"
RUN = "manual__2026-11-22T08:00:00+00:00"
STEP_SECONDS = {
    Step.ADMIT: 1,
    Step.PRECHECK: 4,
    Step.SWITCHOVER: 2,
    Step.MIGRATE: 96,
    Step.UPGRADE: 131,
    Step.VERIFY: 22,
    Step.RELEASE: 2,
}
NODE_SECONDS = sum(STEP_SECONDS.values())
SERVERS = 5


@dataclass
class Stage:
    """A campaign over so many nodes that is so far.

    :ivar done, out: how many nodes; of those that are out the first is upgraded, the others are emptied.
    """

    ledger: Ledger
    count: int = 8
    done: int = 3
    out: int = 1
    parallel: int = 1
    name: str = "node-{:02d}"
    server: str = "vm-{:02d}-{}"
    minutes_left: float | None = 95

    @property
    def hosts(self) -> list[str]:
        return [self.name.format(number) for number in range(1, self.count + 1)]

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self._begin_of(self.done) + 110)

    def set(self, **asked: Any) -> CampaignRun:
        """Write the campaign into the ledger."""
        ends = (
            {}
            if self.minutes_left is None
            else {"window_end": self.now + timedelta(minutes=self.minutes_left)}
        )
        run = self.ledger.run(DAG, RUN)
        plan = make_plan(
            *self.hosts,
            campaign=DAG,
            run_id=RUN,
            max_parallel=self.parallel,
            max_failed_nodes=1,
            **ends | asked,
        )
        run.open(plan, dag_id=DAG, bundle_document={}, snapshot_before=self._snapshot(), now=NOW)
        run.set_document(Document.PLAN, self._plan())
        for index, host in enumerate(self.hosts):
            run.remember(host, from_version="33.0.2")
            if index < self.done:
                self._go_through(run, index)
            elif index < self.done + self.out:
                self._take_out(run, index)
            else:
                self.wait(run, host, *_WAITS[index % len(_WAITS)])
        self._measure()
        return run

    def wait(self, run: CampaignRun, host: str, code: Code, message: str) -> None:
        out = ", ".join(self.hosts[self.done : self.done + self.out])
        run.set_progress(
            host,
            NodeState.WAITING,
            now=NOW + timedelta(seconds=5),
            code=code,
            message=message.format(out=out),
        )

    def fail(
        self, run: CampaignRun, host: str, step: Step, code: Code, message: str, *, held: bool = False
    ) -> None:
        """Let a node that is out fail, or be held, in a step."""
        attempt = run.begin_step(host, step, try_number=2, now=self.now - timedelta(seconds=30))
        ended = Outcome.HELD if held else Outcome.FAILED
        run.finish_step(attempt, result=ended, now=self.now, code=code, message=message)
        state = NodeState.HELD if held else NodeState.FAILED
        run.set_progress(host, state, now=self.now, code=code, message=message)

    def _begin_of(self, index: int) -> float:
        return 30 + (index // self.parallel) * (NODE_SECONDS + 12)

    def _go_through(self, run: CampaignRun, index: int) -> None:
        host, at = self.hosts[index], NOW + timedelta(seconds=self._begin_of(index))
        for step, seconds in STEP_SECONDS.items():
            attempt = run.begin_step(host, step, try_number=1, now=at)
            at += timedelta(seconds=seconds * (0.9 + 0.05 * (index % 5)))
            run.finish_step(attempt, result=Outcome.OK, now=at)
        run.set_progress(host, NodeState.RELEASED, now=at, message="runs 34.0.0")
        for number in range(SERVERS):
            self._move(run, index, number, at - timedelta(seconds=150))

    def _take_out(self, run: CampaignRun, index: int) -> None:
        host, at = self.hosts[index], NOW + timedelta(seconds=self._begin_of(index))
        moves = tuple(
            PlannedMove(
                server_id=f"id-{name}",
                server_name=name,
                method=MoveMethod.LIVE,
                destinations=(self.hosts[0],),
            )
            for name in self._names(index)
        )
        run.remember(host, drain_plan=DrainPlan(host=host, moves=moves))
        upgrading = index == self.done and self.out > 1
        steps = list(STEP_SECONDS)[: 5 if upgrading else 4]
        for step in steps[:-1]:
            attempt = run.begin_step(host, step, try_number=1, now=at)
            at += timedelta(seconds=STEP_SECONDS[step] * (0.4 if upgrading else 1))
            run.finish_step(attempt, result=Outcome.OK, now=at)
        run.begin_step(host, steps[-1], try_number=1, now=at)
        run.set_progress(host, NodeState.UPGRADING if upgrading else NodeState.MIGRATING, now=at)
        for number in range(SERVERS if upgrading else 2):
            self._move(run, index, number, at + timedelta(seconds=9 * number))
        if not upgrading:
            first, second = self._names(index)[3:]
            run.remember(host, flying={f"id-{first}": 43, f"id-{second}": None})
            self._move(run, index, 2, at + timedelta(seconds=27), arrived=False)

    def _move(self, run: CampaignRun, index: int, number: int, at: datetime, *, arrived: bool = True) -> None:
        name = self._names(index)[number]
        record = MoveRecord(
            server_id=f"id-{name}",
            server_name=name,
            from_host=self.hosts[index],
            to_host=self.hosts[0 if index else -1],
            method=MoveMethod.LIVE,
            succeeded=arrived,
            started_at=at,
            ended_at=at + timedelta(seconds=17),
            migration=f"m-{index}-{number}",
            code=None if arrived else Code.MIGRATION_FAILED,
            message="" if arrived else "ended in status error; it is tried elsewhere",
        )
        run.record_move(self.hosts[index], record)

    def _names(self, index: int) -> list[str]:
        return [self.server.format(index + 1, number) for number in range(1, SERVERS + 1)]

    def _snapshot(self) -> dict[str, Any]:
        nodes = [make_busy_node(host) for host in self.hosts]
        servers: list[Server] = []
        groups = []
        for number, name in enumerate(("sbc", "dns", "cgnat")):
            here, there = self.hosts[self.done], self.hosts[-1 - number]
            group, pair = make_pair(name, here, there, lead_seconds=60.0 * number, recovery_seconds=120.0)
            groups.append(group)
            servers += pair
        servers += [make_server(n, self.hosts[i]) for i in range(min(self.count, 20)) for n in self._names(i)]
        return snapshot_to_document(make_cloud(nodes, servers, ha_groups=tuple(groups)))

    def _plan(self) -> dict[str, Any]:
        def turn(index: int, host: str) -> dict[str, Any]:
            begins = self._begin_of(index) - 30
            reason = "goes as soon as its servers have room on upgraded nodes and no HA group forbids it"
            return {
                "host": host,
                "starts_at_seconds": begins,
                "ends_at_seconds": begins + NODE_SECONDS,
                "reason": reason,
            }

        makespan = self._begin_of(self.count - 1) + NODE_SECONDS - 30
        turns = [turn(index, host) for index, host in enumerate(self.hosts)]
        return {"nodes": turns, "expected": {"seconds": makespan}}

    def _measure(self) -> None:
        for group, seconds, days in (("sbc", 0.281, 0), ("dns", 1.34, 0), ("dns", 41.0, 90)):
            self.ledger.gaps().record(
                Gap(
                    cloud="lab",
                    campaign=DAG,
                    run_id=RUN if days == 0 else "manual__before",
                    host=self.hosts[0],
                    group=group,
                    address=f"198.51.100.{len(group)}:{group}",
                    method=ProbeMethod.ICMP,
                    started_at=self.now - timedelta(days=days, seconds=240),
                    seconds=seconds,
                )
            )


_WAITS: Sequence[tuple[Code, str]] = (
    (Code.PARALLEL_LIMIT, "{out}: as many nodes are out as this campaign may have"),
    (Code.CAPACITY, "2 servers of 4096 MiB have no room beside {out}, until it is back"),
    (Code.PARALLEL_LIMIT, "{out}: as many nodes are out as this campaign may have"),
    (Code.HA_GROUP, "group sbc would have 2 members impacted, it bears 1"),
    (Code.HA_NOTICE, "the owners of dns were told 40 s ago, they have 60 s"),
)


def set_large(ledger: Ledger, count: int = 500, done: int = 200) -> Stage:
    """Write a campaign over many nodes: eight by their steps, the others as rows like these, at once."""
    stage = Stage(ledger, count=count, done=done, out=4, parallel=4, name="compute-rack12-{:03d}.example.net")
    small = Stage(ledger, count=8, done=3, out=4, parallel=4, name=stage.name)
    small.set(hosts=())
    with ledger._database.writing() as session:
        campaign = session.scalars(sa.select(CampaignRow)).one()
        plan = dict(campaign.plan)
        plan["hosts"] = stage.hosts
        campaign.plan = plan
        nodes = session.scalars(sa.select(NodeRow).order_by(NodeRow.id)).all()
        for index, host in enumerate(stage.hosts):
            kind = 0 if index < done else 7 if index >= done + 4 else 3 + index - done
            _copy_node(session, nodes[kind], f"x-{host}")
        session.flush()
        for node in nodes:
            session.delete(node)
        session.flush()
        session.execute(sa.update(NodeRow).values(host=sa.func.substr(NodeRow.host, 3)))
    return stage


def _copy_node(session: Session, node: NodeRow, host: str) -> None:
    made = NodeRow(**_values(node) | {"host": host})
    session.add(made)
    session.flush()
    for step in session.scalars(sa.select(StepRow).where(StepRow.node_id == node.id)):
        session.add(StepRow(**_values(step) | {"node_id": made.id}))
    for fact in session.scalars(sa.select(FactRow).where(FactRow.node_id == node.id)):
        session.add(FactRow(node_id=made.id, key=fact.key, value=fact.value))


def _values(row: Base) -> dict[str, Any]:
    return {
        column.key: getattr(row, column.key) for column in sa.inspect(type(row)).columns if column.key != "id"
    }
