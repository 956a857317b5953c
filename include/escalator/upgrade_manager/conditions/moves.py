"""Moves that are not like others: guests that lose their link for seconds, places that sums do not tell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from escalator.model.check_report import Condition
from escalator.model.cloud import Server
from escalator.model.feature import Feature
from escalator.model.verdict import Code, Severity
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import Family, Question, count, name_domain, unmet
from escalator.upgrade_manager.drain.durations import estimate_move_seconds
from escalator.upgrade_manager.drain.refusals import is_refused
from escalator.upgrade_manager.state.capacity import MEMORY, is_moved_cold


class _Kind(NamedTuple):
    """Servers of one kind: what they have, and what that means for their moves."""

    features: frozenset[Feature]
    code: Code
    has: str
    means: str
    remedy: str
    live_only: bool


_KINDS = (
    _Kind(
        frozenset({Feature.SRIOV_PORT, Feature.VDPA_PORT}),
        Code.MOVE_INTERRUPTS,
        "with SR-IOV or vDPA ports",
        "their devices are unplugged for a live move and plugged in again: the link is gone for seconds",
        "see that their guests bond such a port with an ordinary one, or tell their owners",
        live_only=True,
    ),
    _Kind(
        frozenset({Feature.VGPU}),
        Code.MOVE_INTERRUPTS,
        "with vGPUs",
        "a live move of them stands still for longer than others, and every node needs libvirt 8.6, QEMU 8.1 "
        "and Nova 29",
        "see that live_migration_downtime of the nodes is long enough, post-copy off; or tell their owners",
        live_only=True,
    ),
    _Kind(
        frozenset({Feature.DEDICATED_CPUS, Feature.HUGE_PAGES, Feature.NUMA_NODES}),
        Code.FIT_UNSURE,
        "with dedicated CPUs, huge pages or NUMA nodes of their own",
        "Nova places them by the free CPUs and pages of each NUMA node, and only their sums are known",
        "keep more room than the sums ask for; a server without a place holds its node, and stays as it is",
        live_only=False,
    ),
)


def check_moves(question: Question, domain: str) -> Iterator[Condition]:
    """Warn of the servers that move, but not like others; of each kind once, and by name."""
    moving = question.book.movable(question.pending_in(domain))
    for kind in _KINDS:
        of_kind = [s for s in moving if not kind.features.isdisjoint(s.features) and not is_refused(s)]
        found = [s for s in of_kind if not (kind.live_only and is_moved_cold(s))]
        if found:
            yield _warn(domain, found, kind.code, f"{kind.has}: {kind.means}", kind.remedy)
    yield from _too_long(question, domain, moving)
    yield from _uncounted(question, domain, moving)


def _too_long(question: Question, domain: str, moving: Sequence[Server]) -> Iterator[Condition]:
    """Name the servers whose moves would be aborted as hung, going by their memory."""
    request, expected = question.plan.request, question.plan.expected
    memory = {server.id: server.resources.get(MEMORY, 0) for server in moving}
    slow = [
        server
        for server in moving
        if estimate_move_seconds(memory[server.id], expected).p90
        > request.move_limit_seconds(memory[server.id])
    ]
    if not slow:
        return
    most = max(memory[server.id] for server in slow)
    longest = estimate_move_seconds(most, expected)
    yield _warn(
        domain,
        slow,
        Code.MOVE_TOO_LONG,
        f"would take {longest.p50:.0f} s to move, or {longest.p90:.0f} s when it goes slowly (of up to "
        f"{most / 1024:.0f} GiB): more than migration_timeout_seconds={request.migration_timeout_seconds}, "
        "after which a move is aborted",
        f"ask for migration_timeout_seconds={math.ceil(longest.p90 * 1.5)}, or for "
        "migration_timeout_seconds_per_gib; or move them by hand before",
    )


def _uncounted(question: Question, domain: str, moving: Sequence[Server]) -> Iterator[Condition]:
    """Name resource classes that servers have and no node of the snapshot does: they stand elsewhere."""
    lacking = [(server, names) for server in moving if (names := question.book.find_uncounted(server))]
    if lacking:
        words = ", ".join(sorted(set().union(*(names for _, names in lacking))))
        yield _warn(
            domain,
            [server for server, _ in lacking],
            Code.FIT_UNSURE,
            f"with {words}, which the snapshot has of no node: it was not counted",
            "take the snapshot anew: what stands on child providers of a node in Placement is read with it",
        )


def _warn(domain: str, servers: Sequence[Server], code: Code, words: str, remedy: str) -> Condition:
    names = name_some(sorted(server.name for server in servers))
    return unmet(
        code,
        name_domain(domain),
        f"{count(len(servers), 'server')} ({names}) {words}",
        remedy,
        Severity.WARNING,
        hosts=[host for server in servers if (host := server.host) is not None],
    )


FAMILY = Family(code=Code.FIT_UNSURE, check=check_moves)
