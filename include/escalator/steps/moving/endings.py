"""What holds a node when a server did not leave it, in words that say both what is and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from escalator.model.cloud import Server
from escalator.model.moves import MoveMethod, MoveRecord, PlannedMove
from escalator.model.verdict import Code, Subject, Verdict
from escalator.steps.moving.flights import Flight

CLEAR = "then clear the node's admit task with downstream"
"""How a remedy of a node that is held ends."""


def describe_failure(record: MoveRecord) -> Verdict:
    """Say that a move failed, or took too long, wherever it was tried; a cold one may end yet."""
    hangs = record.code is Code.MIGRATION_HUNG and record.method is MoveMethod.COLD
    mend = "mend the cause"
    if hangs:
        mend += ", confirm it once it is finished (openstack server resize confirm)"
    return Verdict(
        code=record.code or Code.MIGRATION_FAILED,
        message=record.message,
        subject=Subject.of_server(record.server_id, record.server_name),
        remedy=f"read the server's instance actions and nova-compute's log, {mend}, {CLEAR}",
    )


def describe_error(server: Server, flight: Flight) -> Verdict:
    """Say that Nova put a server into ERROR because of its move.

    nova-conductor does so when a check of a live migration ends in what it does not expect: Neutron or
    Cinder answers 5xx, or drops the connection. The guest is not touched.
    """
    what = f"{flight.move.method} migration to {flight.destination}"
    if server.power_state == "running":
        where = f"its guest still runs on {server.host}"
    else:
        where = f"it is on {server.host}, power state {server.power_state}"
    return Verdict(
        code=Code.SERVER_ERROR,
        message=f"Nova put it into ERROR because of its {what}; {where}",
        subject=server.subject,
        remedy="read its fault (openstack server show) and nova-conductor's log, mend the cause, see that "
        f"its guest is well, openstack server set --state active {server.id}, {CLEAR}",
    )


def describe_half_landed(server: Server, host: str, flight: Flight) -> Verdict:
    """Say that a migration is over by its own record, and by the server's is not."""
    migration = flight.migration
    record = f"migration {migration.uuid} to {flight.destination} is {migration.status}" if migration else ""
    return Verdict(
        code=Code.MIGRATION_HUNG,
        message=f"{record}, but the server is still on {host}: {server.vm_state}, task {server.task_state}",
        subject=server.subject,
        remedy=f"read nova-compute's log on {flight.destination}, look in Neutron for an inactive binding of "
        "its ports, find out where the guest runs, and bring the server's host and those ports there; do not "
        f"reset its state alone: nova-compute on {host} would stop a guest that is well; {CLEAR}",
    )


def describe_gone(host: str, left: Sequence[Server]) -> Verdict:
    """Say that a node fell silent while servers left it, and name those that are on it still."""
    names = ", ".join(sorted(server.name for server in left)) or "no server"
    return Verdict(
        code=Code.NODE_DOWN,
        message=f"nova-compute on {host} sends no heartbeat since servers left it; on it still: {names}",
        subject=Subject.of_node(host),
        remedy=f"bring the node up, {CLEAR}; if it is lost for good, fence it and evacuate them "
        f"(openstack server evacuate)",
    )


def describe_busy(server: Server, limit: timedelta) -> Verdict:
    """Say that a server was busy for too long."""
    return Verdict(
        code=Code.SERVER_BUSY,
        message=f"it is busy: {server.task_state}, for longer than {limit}",
        subject=server.subject,
        remedy=f"wait for it to end, or find out on its node why it hangs, {CLEAR}",
    )


def describe_refusal(move: PlannedMove, said: str) -> Verdict:
    """Say that Nova refuses a move although the server is at rest."""
    return Verdict(
        code=Code.MIGRATION_FAILED,
        message=f"Nova refuses its {move.method} migration: {said}",
        subject=Subject.of_server(move.server_id, move.server_name),
        remedy=f"do what Nova asks for, or move it by hand, {CLEAR}",
    )


def describe_left(server: Server, host: str) -> Verdict:
    """Say that a server is on the node in the end."""
    task = f", {server.task_state}" if server.task_state else ""
    return Verdict(
        code=Code.NODE_NOT_EMPTY,
        message=f"it is still on {host}, {server.vm_state}{task}",
        subject=server.subject,
        remedy=f"find out what brings servers there, {CLEAR}",
    )
