"""Switches VNFs without a manager over by their own means, and sees whether managers spoke the truth.

A switchover is written down before it is done: a second run finishes it, or finds it done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

from escalator.model.cloud import CloudSnapshot, HaGroup, Server
from escalator.model.errors import (
    EscalatorError,
    LeaseLostError,
    StepHungError,
    SupersededError,
    TransientError,
)
from escalator.model.verdict import Code, Subject, SubjectType, Verdict
from escalator.model.vnf_means import OctaviaMeans, ProbeTarget, SwitchoverMeans
from escalator.steps.running.context import StepContext
from escalator.steps.switching.found_switches import record_found_switchover
from escalator.steps.switching.standby_moves import StandbyMoves
from escalator.upgrade_manager.state.memberships import ACTIVE_STANDBY
from escalator.upgrade_manager.state.roles import ACTIVE, STANDBY
from escalator.vim_interface.registry import SwitchMeans
from escalator.vim_interface.switching import (
    Health,
    RoleView,
    Seen,
    StandbyChoice,
    Switcher,
    SwitchGroup,
    SwitchOrder,
    SwitchOutcome,
    Verification,
    choose_standby,
    find_holder,
    make_switcher,
    restore_switches,
    switch_over,
    verify_left,
)
from escalator.vim_interface.switching.act import SwitchBookSide
from escalator.vim_interface.switching.verify import ServiceAddresses

log = logging.getLogger("escalator.steps.switchover")

LOOKS_AFTER_MOVE = 40
"""How often it is looked whether a standby that has moved can take over."""
LOOKS, LOOK_AGAIN_SECONDS = 6, 0.5
"""How often it is looked whether what a manager says is in effect, and the pause between two looks."""


def _believe_healthy(_: Server) -> Health:
    return Health(ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """What came of a node's switchovers, by ids of servers.

    :ivar stays: their service has left them, or they had none.
    :ivar leaves: their service is still on them.
    :ivar blockers: why the node may not go on.
    """

    stays: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    findings: tuple[Verdict, ...] = ()
    blockers: tuple[Verdict, ...] = ()


class OwnMeans:
    """The groups with members on a node that say how they are switched over.

    :param snapshot: the cloud as it is now, with its HA groups.
    """

    def __init__(
        self, ctx: StepContext, snapshot: CloudSnapshot, declared: SwitchMeans, book: SwitchBookSide
    ) -> None:
        self._ctx = ctx
        self._snapshot = snapshot
        self._declared = declared
        self._book = book
        self._servers = {server.id: server for server in snapshot.servers}
        self.moves = StandbyMoves(ctx=ctx, snapshot=snapshot)

    @classmethod
    def of(cls, ctx: StepContext, snapshot: CloudSnapshot, book: SwitchBookSide) -> OwnMeans:
        """Look up what is declared of the groups of a snapshot."""
        find = ctx.campaign.find_means
        return cls(ctx, snapshot, find(snapshot) if find is not None else SwitchMeans(), book)

    def switch(self, *, asked: Collection[str]) -> Switched:
        """Let the service of every such group leave the node.

        :param asked: servers whose manager was asked: they are left to it.
        """
        stays: list[str] = []
        leaves: list[str] = []
        findings: list[Verdict] = []
        blockers: list[Verdict] = []
        for group, here in self._groups_here(asked):
            switcher = self._make_switcher(group, self._declared.means[group.id])
            for server in here:
                verdict = self._try_one(group, switcher, server)
                if verdict is None:
                    stays.append(server.id)
                elif verdict.code is Code.VNF_NO_STANDBY:
                    blockers.append(verdict)
                else:
                    leaves.append(server.id)
                    findings.append(verdict)
        return Switched(
            stays=tuple(stays), leaves=tuple(leaves), findings=tuple(findings), blockers=tuple(blockers)
        )

    def find_holder(self, group: HaGroup) -> str | None:
        """Return the one member that is seen to have the service of a group; None: that cannot be seen."""
        switcher, probe = self._find_places(group)
        return find_holder(
            self._switch_group(group), network=self._ctx.cloud.network, switcher=switcher, probe=probe
        )

    def verify(self, server_id: str, *, looks: int = LOOKS) -> Verification | None:
        """Look whether the service of a server's group has left it; None: nothing is declared to look at.

        :param looks: how often, while it is still there.
        """
        group = self.group_of(server_id)
        if group is None:
            return None
        switcher, probe = self._find_places(group)
        before = ServiceAddresses(holders=self._ctx.facts.addresses or {})
        if switcher is None and probe is None and not before.of(server_id):
            return None
        look = partial(
            verify_left,
            server_id,
            self._switch_group(group),
            network=self._ctx.cloud.network,
            switcher=switcher,
            before=before.of_members(group.members),
            probe=probe,
        )
        found = look()
        for _ in range(looks - 1):
            if found.seen is not Seen.THERE:
                break
            self._ctx.campaign.sleep(LOOK_AGAIN_SECONDS)
            found = look()
        return found

    def _find_places(self, group: HaGroup) -> tuple[Switcher | None, ProbeTarget | None]:
        """Return where the service of a group can be seen: by its means, at the probed address."""
        means = self._declared.means.get(group.id)
        switcher = self._make_switcher(group, means) if means is not None else None
        return switcher, self._declared.probes.get(group.id)

    def restore(self) -> tuple[str, ...]:
        """Restore what the switchovers of the node changed; return what is not as it was."""
        groups = {group.id: group for group in self._snapshot.ha_groups}

        def find_switcher(group_id: str) -> Switcher | None:
            means, group = self._declared.means.get(group_id), groups.get(group_id)
            return None if means is None or group is None else self._make_switcher(group, means)

        plan = self._ctx.plan
        return restore_switches(
            self._book,
            plan.campaign,
            plan.run_id,
            self._ctx.host,
            switcher_of=lambda record: find_switcher(record.group),
            clock=self._ctx.now,
        )

    def _groups_here(self, asked: Collection[str]) -> Iterator[tuple[HaGroup, list[Server]]]:
        for group in self._snapshot.ha_groups:
            if group.id in self._declared.means:
                members = (self._servers[m] for m in group.members if m in self._servers)
                here = [s for s in members if s.host == self._ctx.host and s.id not in asked]
                if here:
                    yield group, here

    def _try_one(self, group: HaGroup, switcher: Switcher, server: Server) -> Verdict | None:
        """Switch one member over; what its means cannot do, or not even look up, is a reason to move it."""
        try:
            return self._switch_one(group, switcher, server)
        except (TransientError, LeaseLostError, SupersededError, StepHungError):
            raise
        except EscalatorError as exc:
            return _make_verdict(Code.VNF_NOT_SWITCHED, group, str(exc))

    def _switch_one(self, group: HaGroup, switcher: Switcher, server: Server) -> Verdict | None:
        """Switch one member over; None when its service is not on the node any more, or never was."""
        shared = isinstance(self._declared.means[group.id], OctaviaMeans)
        if not shared and self._see_role(group, switcher).see(server.id) is Seen.LEFT:
            return None
        to_server = None
        if not shared:
            choice = self._choose_best_placed(group, switcher, server)
            if choice.server is None:
                return _make_verdict(
                    Code.VNF_NO_STANDBY, group, f"nobody can take over: {'; '.join(choice.reasons)}"
                )
            to_server = choice.server.id
        order = SwitchOrder(
            campaign=self._ctx.plan.campaign,
            run_id=self._ctx.plan.run_id,
            host=self._ctx.host,
            group=group.id,
            from_server=server.id,
            to_server=to_server,
            is_active=shared or server.ha_role == ACTIVE,
        )
        result = switch_over(
            switcher,
            self._book,
            order,
            before_act=self._see_lease,
            clock=self._ctx.now,
            sleep=self._ctx.campaign.sleep,
        )
        log.info(
            "%s: group %s, server %s: %s: %s",
            self._ctx.host,
            group.id,
            server.name,
            result.outcome,
            result.words,
        )
        if result.outcome is SwitchOutcome.FAILED:
            return _make_verdict(Code.VNF_NOT_SWITCHED, group, result.words)
        return None

    def _see_role(self, group: HaGroup, switcher: Switcher) -> RoleView:
        """See who has the service, and note it where the run knew of another member."""
        role = switcher.find_role()
        holders = role.holders & set(group.members)
        if len(holders) == 1:
            record_found_switchover(self._ctx, self._book, group, self._servers.values(), next(iter(holders)))
        return role

    def _choose_best_placed(self, group: HaGroup, switcher: Switcher, active: Server) -> StandbyChoice:
        """Choose who takes over, after the one that would was moved to an upgraded node, where that is wise.

        Neutron may need a moment until the ports of a server that has moved are as before.
        """
        choice = self.choose(group, active.id, is_healthy=switcher.is_healthy)
        standby = choice.server
        if standby is None or not self._stands_by(group, switcher, active, standby):
            return choice
        moved = self.moves.move_first(group, standby)
        if moved is standby:
            return choice
        self._servers[standby.id] = moved
        for _ in range(LOOKS_AFTER_MOVE):
            choice = self.choose(group, active.id, is_healthy=switcher.is_healthy)
            if choice.server is not None:
                break
            self._ctx.campaign.sleep(LOOK_AGAIN_SECONDS)
        return choice

    def _stands_by(self, group: HaGroup, switcher: Switcher, active: Server, standby: Server) -> bool:
        """Tell whether one member has the service and the other has not: only what stands by may be moved.

        Where that cannot be seen the roles tell, unless a switchover was begun that may be under way.
        """
        if group.mode != ACTIVE_STANDBY:
            return False
        role = switcher.find_role()
        seen = (role.see(active.id), role.see(standby.id))
        if Seen.UNSEEN not in seen:
            return seen == (Seen.THERE, Seen.LEFT)
        begun = any(r.group == group.id and r.ended_at is None for r in self._ctx.campaign.find_switches())
        declared = (active.ha_role, standby.ha_role) == (ACTIVE, STANDBY)
        return Seen.THERE not in seen[1:] and Seen.LEFT not in seen[:1] and declared and not begun

    def role_of(self, server_id: str) -> str | None:
        """Return the role of a server, as declared and as the switchovers of the run have left it."""
        return server.ha_role if (server := self._servers.get(server_id)) is not None else None

    def choose(
        self, group: HaGroup, leaving: str, *, is_healthy: Callable[[Server], Health] = _believe_healthy
    ) -> StandbyChoice:
        """Choose who takes over from a member, as the planner does."""
        nodes = {node.host: node for node in self._snapshot.nodes}
        return choose_standby(
            self._switch_group(group), leaving, nodes, is_healthy=is_healthy, pending=self._ctx.plan.hosts
        )

    def _see_lease(self) -> None:
        self._ctx.ensure_leased()

    def group_of(self, server_id: str) -> HaGroup | None:
        """Return the HA group of a server."""
        return next((group for group in self._snapshot.ha_groups if server_id in group.members), None)

    def _switch_group(self, group: HaGroup) -> SwitchGroup:
        members = tuple(self._servers[m] for m in group.members if m in self._servers)
        return SwitchGroup(id=group.id, members=members)

    def _make_switcher(self, group: HaGroup, means: SwitchoverMeans) -> Switcher:
        return make_switcher(
            means,
            self._switch_group(group),
            network=self._ctx.cloud.network,
            balancers=self._ctx.cloud.load_balancers,
            clock=self._ctx.now,
            sleep=self._ctx.campaign.sleep,
        )


def restore_services(ctx: StepContext) -> tuple[str, ...]:
    """Restore what switchovers on the node changed, now that it is in service; say what is not as it was."""
    book = ctx.campaign.switches
    switches = ctx.campaign.find_switches()
    if book is None or not any(switch.host == ctx.host and switch.is_open for switch in switches):
        return ()
    findings = OwnMeans.of(ctx, ctx.fetch_snapshot(), book).restore()
    for finding in findings:
        log.warning("%s: %s", ctx.host, finding)
    return findings


def _make_verdict(code: Code, group: HaGroup, message: str) -> Verdict:
    return Verdict(
        code=code,
        message=f"HA group {group.id}: {message}",
        subject=Subject(type=SubjectType.HA_GROUP, id=group.id),
        remedy="see the means of the group in its VNF file",
    )
