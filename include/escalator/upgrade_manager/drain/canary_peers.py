"""Where a canary that is moved comes from: the nodes that a drain of the proved one would choose."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from escalator.model.cloud import CloudSnapshot, Server
from escalator.upgrade_manager.drain.placing import Placing
from escalator.upgrade_manager.state.capacity import CapacityBook


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPeer:
    """A node that a canary boots on to be moved to the proved one; ``takes_back``: Nova lets it return."""

    host: str
    takes_back: bool


def choose_peers(
    snapshot: CloudSnapshot, canary: Server, *, pending: Collection[str]
) -> tuple[CanaryPeer, ...]:
    """Choose nodes of the domain with room for a canary, in the order in which a drain would take them.

    Nova refuses a live migration to an older hypervisor: a node with a newer one than the proved node is
    none, and one with an older one does not take the canary back.

    :param canary: what it asks for, on the proved node.
    :param pending: hosts that are still to be upgraded.
    """
    proved = canary.host or ""
    book = CapacityBook(snapshot, pending=set(pending))
    placing = Placing(book, closed={proved})
    older = book.older(proved)
    anywhere = replace(canary, migration="cold")
    fitting = (node.host for node in placing.rank_nodes(anywhere) if proved not in book.older(node.host))
    return tuple(CanaryPeer(host=host, takes_back=host not in older) for host in fitting)
