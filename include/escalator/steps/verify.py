"""Verify: prove the node before tenants get it. Only what is proved here may be enabled by release."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from escalator.model.bundle import HookTime
from escalator.model.campaign import NodeState
from escalator.model.cloud import ServiceState
from escalator.model.errors import LoginRefusedError, NotFoundError, TransientError
from escalator.model.lease import LeasePhase
from escalator.model.node_facts import Proof
from escalator.model.node_software import Software
from escalator.model.step import Outcome
from escalator.model.stops import StopEnd
from escalator.model.verdict import Code, Subject, Verdict
from escalator.steps.proving.canary import prove_by_canaries
from escalator.steps.proving.placement import check_allocations, check_identity, check_provider
from escalator.steps.rebooting.reboots import find_reboot_due
from escalator.steps.running.context import StepContext
from escalator.steps.running.hooks import HookFailedError, Hooks
from escalator.steps.running.patience import Patience
from escalator.steps.running.results import StepResult
from escalator.steps.stopping.start_servers import start_servers
from escalator.steps.switching.managers import tell_of_done
from escalator.system_support.mechanisms import UnitState
from escalator.system_support.node_software import read_software
from escalator.upgrade_manager.state.agents import find_missing
from escalator.upgrade_manager.state.resources import find_lost, leave_expected_out

log = logging.getLogger("escalator.steps.verify")

SERVICE_WITHIN = timedelta(seconds=120)
"""How long service, hypervisor, inventory and agents may take to come up after the restart."""
PLACEMENT_WITHIN = timedelta(seconds=60)
"""How long Placement may take to have again what it had: nova-compute tells it once a minute."""
POLL_SECONDS = 1.0
PLACEMENT_POLL_SECONDS = 5.0
LOOKS_A_LOGIN = 5
"""The node itself is asked over SSH at every fifth look only: a login costs both sides more than the look."""

_MEND_SERVICE = "read its log on the node, mend it, then clear the node's upgrade task with downstream"

Look = Callable[[StepContext], tuple[Verdict, ...]]


def verify(ctx: StepContext) -> StepResult:
    """Prove the node, and remember the proof: in the ledger first, then in the lease."""
    ctx.ensure_phase(LeasePhase.UPGRADING)
    ctx.remember(verified=None)
    notes = _Notes(hooks=Hooks(ctx=ctx))
    refused = _prove(ctx, notes)
    if refused is None:
        refused = _start(ctx, notes)
    if refused is not None:
        return refused
    ctx.progress(NodeState.VERIFIED, message=_describe_end(ctx))
    ctx.ensure_phase(LeasePhase.VERIFIED)
    good = "service, version, hypervisor, inventory, agents" + (", hooks" if notes.hooks.reports else "")
    off = ctx.campaign.canary.off
    started = sum(stop.end is StopEnd.RUNS for stop in ctx.facts.stops)
    again = f"; {started} server(s) that were stopped run again" if started else ""
    return StepResult(
        message=f"{good} are good; canaries are off{again}" if off else f"{good} and canary are good{again}",
        details=notes.details,
    )


@dataclass(kw_only=True)
class _Notes:
    """What an attempt remembers: its hooks, and what the node was seen to run after the switch."""

    hooks: Hooks
    software: Software = field(default_factory=dict)

    @property
    def details(self) -> dict[str, Any]:
        return {**self.hooks.details, "software": dict(self.software)}


def _start(ctx: StepContext, notes: _Notes) -> StepResult | None:
    """Start the servers again that were stopped for the upgrade: a node that cannot run them is not good."""
    faults = start_servers(ctx)
    tell_of_done(ctx)
    if not faults:
        return None
    message = "; ".join(map(str, faults))
    code = Code.SERVER_NOT_STARTED
    return StepResult(outcome=Outcome.FAILED, code=code, message=message, details=notes.details)


def _describe_end(ctx: StepContext) -> str:
    """Say what the node has now; where nothing is brought, no version was asked for."""
    order = ctx.facts.reboot
    booted = order.back_at if order is not None else None
    rebooted = f", rebooted at {booted:%H:%M:%S}" if booted is not None else ""
    brought = ctx.campaign.mechanism.brings_software
    return (f"runs {ctx.plan.target_version}" if brought else "proved") + rebooted


def prove(ctx: StepContext) -> StepResult | None:
    """Check service, version, hypervisor, inventory, agents, hooks and a canary; remember the proof.

    :return: what is wrong; None when all is good.
    """
    return _prove(ctx, _Notes(hooks=Hooks(ctx=ctx)))


def _prove(ctx: StepContext, notes: _Notes) -> StepResult | None:
    wait = _Wait(ctx=ctx, patience=Patience(ctx=ctx), deadline=ctx.now() + SERVICE_WITHIN)
    faults = _service(wait) or _reboot(ctx)
    if not faults:
        wrong = _version(ctx, notes)
        faults = (*wrong, *wait.until_good(_all_up, lambda: bool(wrong)))
    if not faults:
        faults = wait.more(PLACEMENT_WITHIN, PLACEMENT_POLL_SECONDS).until_good(_placement)
    if not faults:
        faults = _hooks(ctx, notes.hooks)
    if not faults:
        faults = prove_by_canaries(ctx)
    for fault in faults:
        log.error("%s", fault)
    if faults:
        message = "; ".join(str(fault) for fault in faults)
        code, details = faults[0].code, notes.details
        return StepResult(outcome=Outcome.FAILED, code=code, message=message, details=details)
    ctx.ensure_leased()
    version = ctx.plan.target_version
    ctx.remember(verified=Proof(version=version, at=ctx.now()), version=version, behind=())
    return None


def _fault(ctx: StepContext, code: Code, message: str, remedy: str) -> tuple[Verdict, ...]:
    subject = Subject.of_node(ctx.host)
    return (Verdict(code=code, message=message, subject=subject, remedy=remedy),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wait:
    """The time that the node has to come up; while the cloud does not answer, it stands still."""

    ctx: StepContext
    patience: Patience
    deadline: datetime
    pause_seconds: float = POLL_SECONDS

    def more(self, within: timedelta, pause_seconds: float) -> _Wait:
        """Give so much time from now on, for looks that are so far apart."""
        return _Wait(
            ctx=self.ctx,
            patience=Patience(ctx=self.ctx),
            deadline=self.ctx.now() + within,
            pause_seconds=pause_seconds,
        )

    def until_good(self, look: Look, hopeless: Callable[[], bool] = lambda: False) -> tuple[Verdict, ...]:
        """Look until there is no fault; return those left at the deadline, or when there is no hope."""
        while True:
            faults = self.patience.ask(lambda: look(self.ctx))
            if not faults or self.ctx.now() > self.deadline + self.patience.away or hopeless():
                return faults
            self.ctx.campaign.sleep(self.pause_seconds)


def _service(wait: _Wait) -> tuple[Verdict, ...]:
    """Wait for a heartbeat that is newer than the restart, unless systemd has seen the service end."""
    looks = itertools.count()
    ended: list[UnitState] = []

    def hopeless() -> bool:
        state = _ask_systemd(wait.ctx) if next(looks) % LOOKS_A_LOGIN == 0 else None
        if state is not None and state.has_ended:
            ended.append(state)
        return bool(ended)

    faults = wait.until_good(_heartbeat, hopeless)
    if not faults or not ended:
        return faults
    said = f"nova-compute does not run: systemd on the node says {ended[0]}"
    return _fault(wait.ctx, Code.SERVICE_NOT_UP, said, _MEND_SERVICE)


def _heartbeat(ctx: StepContext) -> tuple[Verdict, ...]:
    restarted = _restarted_at(ctx)
    service = ctx.cloud.fetch_service(ctx.host)
    beat = service.updated_at
    if service.state is ServiceState.UP and beat is not None and (restarted is None or beat > restarted):
        return ()
    since = f" since its restart at {restarted}" if restarted is not None else ""
    return _fault(
        ctx,
        Code.SERVICE_NOT_UP,
        f"nova-compute has sent no heartbeat{since}; its last one is of {beat or 'no time'}",
        _MEND_SERVICE,
    )


def _all_up(ctx: StepContext) -> tuple[Verdict, ...]:
    """Look at service, hypervisor, inventory and agents: they have to be up together."""
    return (*_heartbeat(ctx), *_hypervisor(ctx), *_agents(ctx))


def _placement(ctx: StepContext) -> tuple[Verdict, ...]:
    """Compare what Placement has of the node with what it had; nothing may be left over of the drain."""
    return check_provider(ctx) or check_allocations(ctx)


def _restarted_at(ctx: StepContext) -> datetime | None:
    """Return when upgrade was done with the restart, in whole seconds as Nova reports heartbeats.

    It is our clock's time, heartbeats carry the cloud's: like Nova itself, this needs clocks that agree.
    """
    restarted = ctx.facts.restarted_at
    return None if restarted is None else restarted.replace(microsecond=0)


def _ask_systemd(ctx: StepContext) -> UnitState | None:
    """Ask the node itself: a service that has ended will send no heartbeat. None: it cannot be asked now."""
    try:
        with ctx.campaign.shell(ctx.host) as shell:
            return ctx.campaign.mechanism.service_state(shell)
    except (TransientError, LoginRefusedError):
        return None


def _version(ctx: StepContext, notes: _Notes) -> tuple[Verdict, ...]:
    """Compare what runs with what the bundle brings; note everything else that the node runs now."""
    with ctx.campaign.shell(ctx.host) as shell:
        found = ctx.campaign.mechanism.installed(shell)
        told = read_software(shell) if ctx.campaign.reads_software else {}
    brought = {} if found is None else {name: one for name, one in found.components.items() if one}
    notes.software = {**told, **brought}
    if found is None:
        return ()
    behind = found.find_behind(ctx.campaign.bundle.components)
    if found.running != ctx.plan.target_version:
        said = f"runs {found.running}, not {ctx.plan.target_version}"
    elif behind:
        said = f"has {', '.join(behind)}, which is not what the bundle brings"
    else:
        return ()
    return _fault(ctx, Code.VERSION_MISMATCH, said, "restart the service on the node and clear this task")


def _reboot(ctx: StepContext) -> tuple[Verdict, ...]:
    """Check that no reboot is to come that the bundle wants: who proves a node lets servers onto it."""
    due = find_reboot_due(ctx)
    remedy = f"clear {ctx.host}.upgrade with downstream: it is rebooted there, or seen to be"
    return _fault(ctx, Code.REBOOT_OVERDUE, f"{ctx.host} {due}", remedy) if due else ()


def _hypervisor(ctx: StepContext) -> tuple[Verdict, ...]:
    """Check that Nova's hypervisor is up and Placement has of it what it had before."""
    remedy = "look at nova-compute's log"
    try:
        hypervisor = ctx.cloud.fetch_hypervisor(ctx.host)
    except NotFoundError as exc:
        return _fault(ctx, Code.HYPERVISOR_DOWN, str(exc), remedy)
    if hypervisor.state is not ServiceState.UP:
        return _fault(ctx, Code.HYPERVISOR_DOWN, f"hypervisor is {hypervisor.state}", remedy)
    another = check_identity(ctx, hypervisor.id)
    if another:
        return another
    expected = ctx.campaign.bundle.expected_changes
    before = leave_expected_out(ctx.facts.totals or {}, expected)
    try:
        inventory = ctx.cloud.fetch_inventory(hypervisor.id, classes=tuple(before))
    except NotFoundError:
        inventory = {}
    lost = find_lost(before, inventory)
    if not lost:
        return ()
    return _fault(ctx, Code.INVENTORY_MISSING, f"Placement has of it {', '.join(lost)}", remedy)


def _agents(ctx: StepContext) -> tuple[Verdict, ...]:
    """Check that every Neutron agent of the node is alive that was alive before."""
    known = ctx.facts.agents
    if known is not None and not known:
        return ()  # none was alive: there is none to ask for
    agents = ctx.cloud.fetch_agents(ctx.host)
    dead = find_missing(agents, known)
    if not dead:
        return ()
    return _fault(
        ctx, Code.AGENT_DOWN, f"agents not alive: {', '.join(dead)}", "start them, then clear this task"
    )


def _hooks(ctx: StepContext, hooks: Hooks) -> tuple[Verdict, ...]:
    """Run the verify hooks of the bundle: they decide like every other look at the node."""
    try:
        hooks.run(HookTime.VERIFY)
    except HookFailedError as exc:
        return _fault(ctx, Code.HOOK_FAILED, exc.message, exc.remedy or "read the report")
    return ()
