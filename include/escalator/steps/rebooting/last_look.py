"""The last look at a node before it is ordered to reboot, or its power is switched: nothing may run on it.

Between the proof that it is empty and its reboot lies all that its mechanism does. Meanwhile a person, or
what evacuates servers, may have put one there, also on a node that is disabled.
"""

from __future__ import annotations

from contextlib import suppress

from escalator.model.cloud import Migration
from escalator.model.errors import NodeFaultError, NotFoundError
from escalator.model.verdict import Code
from escalator.steps.migrate import find_staying
from escalator.steps.running.context import StepContext
from escalator.steps.running.patience import Patience
from escalator.steps.stopping.stop_servers import find_resting, stop_servers
from escalator.upgrade_manager.drain.prechecks import find_ongoing


def find_in_the_way(ctx: StepContext) -> str:
    """Say what keeps a node of ours from being rebooted at this moment, in words; empty: nothing.

    Of the servers that stay on it none runs or is busy, there is no other, and none is on its way.

    :raises LeaseLostError: the node is not ours any more: whoever has it may be at work on it.
    :raises TransientError: the cloud does not say, so that the node must not be rebooted now.
    """
    ctx.ensure_leased()
    staying = find_staying(ctx)
    found = [
        f"server {s.name} ({s.id}) is on it, {s.vm_state}{f', {s.task_state}' if s.task_state else ''}"
        for s in ctx.cloud.fetch_servers(ctx.host)
        if not s.on_no_node and (s.id not in staying or s.vm_state != "stopped" or s.task_state is not None)
    ]
    found += [f"{m.type} {m.uuid} of {m.server_id} goes on ({m.status})" for m in find_going_on(ctx)]
    return "; ".join(found)


def ensure_clear(ctx: StepContext) -> None:
    """Stop again who was started since, and see that nothing else is in the way of a reboot.

    :raises NodeFaultError: something is; nothing was ordered.
    :raises LeaseLostError: the node is not ours any more.
    :raises TransientError: the cloud does not answer for some minutes.
    """
    stuck = stop_servers(ctx) if find_resting(ctx) else None
    if stuck is not None:
        raise NodeFaultError(f"{ctx.host} is not rebooted: {stuck.message}", code=stuck.code)
    found = Patience(ctx=ctx).ask(lambda: find_in_the_way(ctx))
    if found:
        raise NodeFaultError(
            f"{ctx.host} is not rebooted: {found}",
            remedy=f"find out who put it there, then clear {ctx.host}.admit with downstream: it is moved off",
            code=Code.NODE_NOT_EMPTY,
        )


def find_going_on(ctx: StepContext) -> tuple[Migration, ...]:
    """Return the migrations in or out of the node that really go on."""
    unfinished = [m for m in ctx.cloud.fetch_migrations(host=ctx.host) if m.status.unfinished]
    servers = []
    for server_id in {migration.server_id for migration in unfinished}:
        with suppress(NotFoundError):
            servers.append(ctx.cloud.fetch_server(server_id))
    there = {server.id for server in servers}
    return find_ongoing([m for m in unfinished if m.server_id in there], servers, ctx.now())
