"""Prechecks: may the servers of a node be moved? Every finding about every server at once.

What Nova allows in which state is in the decorators of ``nova/compute/api.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalator.model.cloud import ON_NO_NODE, Migration, MigrationStatus, Server
from escalator.model.verdict import Code, Severity, Subject, SubjectType, Verdict
from escalator.upgrade_manager.drain.refusals import (
    find_fixed,
    find_not_live,
    is_fixed_by_share,
    is_powered_off,
)
from escalator.upgrade_manager.state.capacity import is_moved_cold
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

LIVE = "live-migration"
"""The type of a live migration; the others are migration (cold), resize and evacuation."""
MOVABLE_STATES = frozenset({"active", "paused", "stopped"})
"""States from which Nova moves a server."""
_STUCK = {
    "suspended": (
        Code.SERVER_SUSPENDED,
        "it is suspended: Nova does not move it, and its memory lies on this node",
        "resume it, or shelve it with its owner's consent: both work on a suspended server",
    ),
    "rescued": (
        Code.SERVER_RESCUED,
        "it is in rescue mode: Nova does not move it",
        "unrescue it, or leave the node out",
    ),
    "error": (
        Code.SERVER_ERROR,
        "it is in ERROR: Nova does not move it",
        "find out why, then reset its state (openstack server set --state active) or delete it",
    ),
    "resized": (
        Code.SERVER_UNCONFIRMED_RESIZE,
        "its resize waits for confirmation, with a copy of it on another node",
        "confirm or revert it (openstack server resize confirm, or revert)",
    ),
    "soft-delete": (
        Code.SERVER_SOFT_DELETED,
        "it is soft-deleted, but still on the node",
        "delete it for good (openstack server delete --force), or restore it (openstack server restore)",
    ),
    "building": (Code.SERVER_BUSY, "it is being built", "wait for it, or delete it if it hangs"),
    "shelved": (
        Code.SERVER_BUSY,
        "it is shelved, but not yet off the node",
        "offload it (openstack server shelve --offload), or unshelve it",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerContext:
    """What a filter may need to know beside the server: its migrations, and the hypervisor of its node."""

    migrations: tuple[Migration, ...] = ()
    hypervisor: ReleaseVersion | None = None


_MAKE_ANEW = "delete it or make it anew elsewhere, with its owner's consent; or leave the node out"
_DETACH = (
    "with its owner's consent stop it and detach its shares (GET, then DELETE /servers/ID/shares/SHARE, "
    "microversion 2.97): it moves cold then; attach them and start it afterwards; or leave the node out"
)
ServerFilter = Callable[[Server, ServerContext], Verdict | None]


PASSING = frozenset({Code.SERVER_BUSY, Code.MIGRATION_UNFINISHED})
"""Findings that may be over at the next look: warnings ahead of the drain, asked again before each move."""
_ABORTABLE = frozenset({MigrationStatus.QUEUED, MigrationStatus.PREPARING, MigrationStatus.RUNNING})
STALE_AFTER = timedelta(seconds=60)
"""After so long a silence an unfinished live migration of a server without a task is only a record."""
LONG_STALE_AFTER = timedelta(hours=1)
"""After so long a silence every unfinished migration of a server at rest is, or of one that is not there."""
_AT_REST = MOVABLE_STATES | ON_NO_NODE | {"suspended", "rescued", "shelved", "soft-delete"}
"""States in which, without a task, nothing goes on; ``resized`` waits for its owner."""
_NO_MOVE = ("image_", "shelving")
"""Tasks of owners that take long and begin so: Nova starts none of them in a move, nor a move in one."""


def check_state(server: Server, _context: ServerContext) -> Verdict | None:
    """Find a server in a state from which Nova does not move it; an unknown state counts as one.

    Of a busy server this is asked when its task has ended: its state is about to change.
    """
    passing = server.task_state is not None and (server.vm_state in _STUCK or server.on_no_node)
    if server.vm_state in MOVABLE_STATES or passing:
        return None
    code, message, remedy = _STUCK.get(
        server.vm_state,
        (
            Code.SERVER_UNKNOWN_STATE,
            f"its state {server.vm_state!r} is not known",
            "bring it into a known state, or take it off the node by hand",
        ),
    )
    return _verdict(server, code, message, remedy)


def check_task(server: Server, _context: ServerContext) -> Verdict | None:
    """Note a server that something is being done with: it passes, and its drain waits for it."""
    if server.task_state is None:
        return None
    remedy = "wait for it to end, or find out on its node why it hangs"
    message = f"it is busy: {server.task_state}"
    return _verdict(server, Code.SERVER_BUSY, message, remedy, Severity.WARNING)


def check_migrations(server: Server, context: ServerContext) -> Verdict | None:
    """Note a server with an unfinished migration: it passes; a waiting resize shows in its state instead."""
    unfinished = [m for m in context.migrations if m.status.unfinished]
    if server.vm_state == "resized":
        unfinished = [m for m in unfinished if m.status is not MigrationStatus.FINISHED]
    if not unfinished:
        return None
    named = ", ".join(f"{m.type} {m.uuid} is {m.status}" for m in unfinished)
    remedy = describe_remedy(unfinished)
    return _verdict(
        server, Code.MIGRATION_UNFINISHED, f"a migration of it goes on: {named}", remedy, Severity.WARNING
    )


def check_movable(server: Server, _context: ServerContext) -> Verdict | None:
    """Find a server that must not be moved, or not in the state it is in; of others their state is said."""
    if server.vm_state not in MOVABLE_STATES:
        return None
    if server.migration == "none":
        message, remedy = "it must not be moved", "take it off the node by hand, or allow its move"
    elif server.migration == "cold" and server.vm_state == "paused":
        message, remedy = (
            "it can be moved cold only, which Nova does not do when paused",
            "unpause it, then stop it: Nova stops no paused server",
        )
    else:
        return None
    return _verdict(server, Code.SERVER_PINNED, message, remedy)


def check_power(server: Server, _context: ServerContext) -> Verdict | None:
    """Find a server that Nova calls active though its guest does not run: Nova refuses its live move."""
    if server.task_state is not None or is_moved_cold(server) or not is_powered_off(server):
        return None
    message = f"Nova refuses its live move: it is active, and its power state is {server.power_state}"
    remedy = (
        "stop it (openstack server stop): it moves cold then; or start its guest again "
        "(openstack server reboot --hard), with its owner's consent"
    )
    return _verdict(server, Code.SERVER_POWER_STATE, message, remedy)


def check_refusals(server: Server, context: ServerContext) -> Verdict | None:
    """Find a server with something that makes Nova refuse its move, and say what would move it."""
    if server.vm_state not in MOVABLE_STATES or server.migration == "none":
        return None
    fixed = find_fixed(server)
    if fixed:
        message = f"Nova moves it neither live nor cold: it has {' and '.join(fixed)}"
        remedy = _DETACH if is_fixed_by_share(server) else _MAKE_ANEW
        return _verdict(server, Code.SERVER_REFUSED, message, remedy)
    bound = () if is_moved_cold(server) else find_not_live(server, context.hypervisor)
    if not bound:
        return None
    unpause = "unpause it, then " if server.vm_state == "paused" else ""
    remedy = (
        f"with its owner's consent {unpause}stop it: it moves cold then; or allow its cold move "
        "(supported_migration_type OFFLINE_MIGRATION, in its VNF file or metadata); or leave the node out"
    )
    return _verdict(
        server, Code.SERVER_REFUSED, f"Nova refuses its live move: it has {' and '.join(bound)}", remedy
    )


def check_lock(server: Server, _context: ServerContext) -> Verdict | None:
    """Note a locked server: an administrator moves it all the same."""
    if not server.locked:
        return None
    return _verdict(
        server,
        Code.SERVER_LOCKED,
        "it is locked; an administrator may move it all the same",
        "nothing to do; its lock stays",
        Severity.INFO,
    )


FILTERS: tuple[ServerFilter, ...] = (
    check_state,
    check_task,
    check_migrations,
    check_movable,
    check_power,
    check_refusals,
    check_lock,
)
"""What every server is asked, in this order."""


def check_server(server: Server, context: ServerContext | None = None) -> tuple[Verdict, ...]:
    """Return every finding about one server; none about one that is on no node any more."""
    if server.on_no_node and server.task_state is None:
        return ()
    known = context or ServerContext()
    findings = (check(server, known) for check in FILTERS)
    return tuple(verdict for verdict in findings if verdict is not None)


def check_servers(
    servers: Sequence[Server],
    migrations: Iterable[Migration] = (),
    *,
    host: str | None = None,
    hypervisor: ReleaseVersion | None = None,
) -> tuple[Verdict, ...]:
    """Return every finding about the servers of a node, and about migrations of others that touch it.

    :param servers: the servers whose host is the node.
    :param migrations: migrations of the cloud; those that do not touch the node do not matter.
    :param host: the node; when it is left out, it is the host of the servers.
    :param hypervisor: that of the node; None: not known.
    """
    of_server: dict[str, list[Migration]] = {server.id: [] for server in servers}
    hosts = {host} if host is not None else {server.host for server in servers}
    besides: list[Migration] = []
    for migration in migrations:
        if migration.server_id in of_server:
            of_server[migration.server_id].append(migration)
        elif not hosts.isdisjoint({migration.source_host, migration.dest_host} - {None}):
            besides.append(migration)
    verdicts = [
        verdict
        for server in sorted(servers, key=lambda s: (s.name, s.id))
        for verdict in check_server(
            server, ServerContext(migrations=tuple(of_server[server.id]), hypervisor=hypervisor)
        )
    ]
    verdicts += [_passing(m) for m in sorted(besides, key=lambda m: m.id) if m.status.unfinished]
    return tuple(verdicts)


def are_settled(first: Iterable[Server], second: Iterable[Server]) -> bool:
    """Tell whether two reads of a node agree: the same servers, whatever their owners do with them."""
    return {s.id for s in first} == {s.id for s in second}


def describe_remedy(migrations: Iterable[Migration]) -> str:
    """Say what helps against migrations that go on: Nova aborts only a live one, and that not at its end."""
    lasting = next((m for m in migrations if m.type != LIVE or m.status not in _ABORTABLE), None)
    if lasting is None:
        return "wait for it to end, or abort it (openstack server migration abort)"
    after = "" if lasting.type == LIVE else "; confirm or revert it when it is finished"
    return f"wait for it to end: Nova does not abort a {lasting.type} that is {lasting.status}{after}"


def _passing(migration: Migration) -> Verdict:
    """Say that a migration holds the node although its server is on another one."""
    subject = Subject(type=SubjectType.MIGRATION, id=migration.uuid)
    where = f"from {migration.source_host} to {migration.dest_host or 'a node not chosen yet'}"
    if migration.status is MigrationStatus.FINISHED:
        return Verdict(
            code=Code.SERVER_UNCONFIRMED_RESIZE,
            message=f"server {migration.server_id} was resized {where} and waits for confirmation",
            subject=subject,
            remedy="confirm or revert it (openstack server resize confirm, or revert)",
        )
    return Verdict(
        code=Code.MIGRATION_UNFINISHED,
        message=f"the {migration.type} of server {migration.server_id} {where} is {migration.status}",
        subject=subject,
        remedy=describe_remedy((migration,)),
    )


def _verdict(
    server: Server, code: Code, message: str, remedy: str, severity: Severity = Severity.BLOCKER
) -> Verdict:
    return Verdict(code=code, message=message, subject=server.subject, severity=severity, remedy=remedy)


def find_ongoing(
    migrations: Iterable[Migration], servers: Iterable[Server], now: datetime
) -> tuple[Migration, ...]:
    """Return the unfinished migrations that really go on; Nova may leave a record unfinished for ever.

    While a live migration goes on its server has a task; from ``post-migrating`` on the server has none, but
    the source is still being cleaned up. While a cold migration or a resize goes on its server has a task,
    or is ``resized`` and waits to be confirmed. A record that is none of these, and that nobody has written
    to for a while, is stale; a server that is being backed up is not on its way. A migration whose server is
    not known goes on, unless it is old.
    """
    known = {server.id: server for server in servers}
    return tuple(
        m for m in migrations if m.status.unfinished and not _is_stale(m, known.get(m.server_id), now)
    )


def _is_stale(migration: Migration, server: Server | None, now: datetime) -> bool:
    silence = now - (migration.updated_at or migration.created_at)
    if server is None:
        return silence > LONG_STALE_AFTER
    if server.task_state is not None and not server.task_state.startswith(_NO_MOVE):
        return False
    if migration.type == LIVE and migration.status is not MigrationStatus.POST_MIGRATING:
        return silence > STALE_AFTER
    return server.vm_state in _AT_REST and silence > LONG_STALE_AFTER
