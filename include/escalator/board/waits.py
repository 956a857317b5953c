"""Why nodes wait: in one word, and what keeps further nodes in now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from escalator.board.board import Group, Limit, NodeLine, Wait
from escalator.model.verdict import Code

_WAITS: Mapping[Code, Wait] = MappingProxyType(
    {
        Code.PARALLEL_LIMIT: Wait.TURN,
        Code.SOAKING: Wait.TURN,
        Code.CAPACITY: Wait.CAPACITY,
        Code.NO_DESTINATION: Wait.CAPACITY,
        Code.HA_GROUP: Wait.GROUP,
        Code.HA_NOTICE: Wait.NOTICE,
        Code.VNF_SILENT: Wait.NOTICE,
        Code.VNF_REFUSED: Wait.PERSON,
        Code.WINDOW_CLOSED: Wait.WINDOW,
        Code.APPROVAL: Wait.PERSON,
        Code.APPROVAL_REFUSED: Wait.PERSON,
        Code.ORDER_PAUSE: Wait.ORDER,
        Code.ORDER_STOP: Wait.ORDER,
        Code.FAILURE_BUDGET: Wait.FAILURES,
        Code.SOAK_FAILED: Wait.FAILURES,
        Code.INTERRUPTION_SWITCH: Wait.FAILURES,
        Code.INTERRUPTION_YEAR: Wait.FAILURES,
        Code.ALERTS: Wait.WATCHERS,
        Code.RECOVERY_RUNS: Wait.WATCHERS,
        Code.WATCHER_SILENT: Wait.WATCHERS,
        Code.LEASED_BY_OTHERS: Wait.OTHERS,
        Code.LEASE_ORPHANED: Wait.OTHERS,
        Code.DISABLED_BY_OTHERS: Wait.OTHERS,
    }
)


def name_wait(code: Code | None) -> Wait:
    """Say in one word what a node waits for that has a code; one that was told nothing waits for its turn."""
    return _WAITS.get(code, Wait.OTHERS) if code is not None else Wait.TURN


def list_limits(nodes: Sequence[NodeLine]) -> tuple[Limit, ...]:
    """List what keeps further nodes in, what keeps most of them first; the words are those of the first."""
    of_wait: dict[Wait, list[NodeLine]] = {}
    for node in nodes:
        if node.group is Group.WAITING and node.wait is not None:
            of_wait.setdefault(node.wait, []).append(node)
    limits = [
        Limit(wait=wait, nodes=len(waiting), message=next((n.why for n in waiting if n.why), ""))
        for wait, waiting in of_wait.items()
    ]
    return tuple(sorted(limits, key=lambda limit: -limit.nodes))
