"""Busy servers: whether the Nova of their node lets them get across, and how long it gives the largest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from escalator.model.cloud import Server
from escalator.model.durations import Durations
from escalator.model.feature import Feature
from escalator.model.migration_settings import MigrationSettings
from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.model.wording import name_some
from escalator.upgrade_manager.drain.durations import estimate_move_seconds
from escalator.upgrade_manager.state.capacity import MEMORY, is_moved_cold

_LEAST_GIB = 2.0
"""Nova counts no server as smaller."""
_REMEDY = (
    "set live_migration_permit_auto_converge and live_migration_permit_post_copy to true in [libvirt] of the "
    "nodes' nova.conf, or live_migration_timeout_action to force_complete, and restart nova-compute; or ask "
    "for on_slow_move=force_complete"
)


def check_settings(
    settings: MigrationSettings, servers: Iterable[Server], expected: Durations, subject: Subject
) -> tuple[Verdict, ...]:
    """Say what the options of a node's Nova mean for the servers that leave it live; none block.

    :param servers: those that are to leave.
    :param subject: what the verdicts are about.
    """
    live = [server for server in servers if not is_moved_cold(server)]
    if not live:
        return ()
    found = [*_say_aborts(settings, live), *_say_timeouts(settings, live, expected)]
    found += [*_say_post_copy(settings, live)]
    verdicts = [
        Verdict(
            code=Code.MIGRATION_SETTINGS,
            message=message,
            subject=subject,
            severity=Severity.WARNING,
            remedy=remedy,
        )
        for message, remedy in found
    ]
    if settings.inbound_address is None:
        verdicts.append(
            Verdict(
                code=Code.MIGRATION_SETTINGS,
                message="memory is copied over the network of the node's name: live_migration_inbound_addr "
                "is not set",
                subject=subject,
                severity=Severity.INFO,
                remedy="name an address of a network for migrations there, if there is one",
            )
        )
    return tuple(verdicts)


def compute_timeout_seconds(settings: MigrationSettings, memory_mib: int) -> float | None:
    """Return how long Nova lets the memory of a server be copied (s); None: for ever."""
    gib = max(_LEAST_GIB, memory_mib / 1024)
    return settings.completion_timeout * gib if settings.completion_timeout else None


def _say_aborts(settings: MigrationSettings, live: list[Server]) -> Iterator[tuple[str, str]]:
    if settings.auto_converge or settings.post_copy or settings.timeout_action != "abort":
        return
    largest = max(live, key=lambda server: (_memory(server), server.name))
    timeout = compute_timeout_seconds(settings, _memory(largest))
    name = f"{largest.name} ({_memory(largest) / 1024:.0f} GiB)"
    after = (
        f"no timeout ends the move of the largest, {name}"
        if timeout is None
        else f"the move of the largest, {name}, is aborted after {timeout:.0f} s"
    )
    message = (
        "a server that writes its memory faster than it is copied does not get across: auto-converge and "
        f"post-copy are off, and live_migration_timeout_action is abort; {after}"
    )
    yield message, _REMEDY


def _say_timeouts(
    settings: MigrationSettings, live: list[Server], expected: Durations
) -> Iterator[tuple[str, str]]:
    short = [
        server
        for server in live
        if (timeout := compute_timeout_seconds(settings, _memory(server))) is not None
        and timeout < estimate_move_seconds(_memory(server), expected).p90
    ]
    if short:
        message = (
            f"live_migration_completion_timeout={settings.completion_timeout} (seconds for each GiB) is less "
            f"than the move of {count_and_name(short)} may take"
        )
        yield message, "raise it in [libvirt] of the nodes' nova.conf, and restart nova-compute"


def _say_post_copy(settings: MigrationSettings, live: list[Server]) -> Iterator[tuple[str, str]]:
    graphics = [server for server in live if Feature.VGPU in server.features]
    if settings.post_copy and graphics:
        yield (
            f"post-copy is permitted, which breaks the live move of {count_and_name(graphics)} with vGPUs",
            "set live_migration_permit_post_copy to false on such nodes, and restart nova-compute",
        )


def count_and_name(servers: list[Server]) -> str:
    """Say how many servers, and the names of the first few."""
    names = name_some(sorted(server.name for server in servers))
    return f"{len(servers)} server(s) ({names})"


def _memory(server: Server) -> int:
    return server.resources.get(MEMORY, 0)
