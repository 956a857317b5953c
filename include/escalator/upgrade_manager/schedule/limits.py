"""Limits: how many nodes may be out at once, beside those that other campaigns have out.

The check, the plan and the admission ask here, so that all of them say the same of somebody else's lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from escalator.model.cloud import Node
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.lease import Lease
from escalator.model.verdict import Code
from escalator.model.wording import name_some
from escalator.upgrade_manager.state.domains import are_neighbours


def find_limit(asked: int, others: Iterable[Lease]) -> int:
    """Return how many nodes may be out: the least that any campaign with nodes out here allows.

    A lease of another campaign that does not say its limit is taken to allow one.
    """
    return min((asked, *(lease.max_parallel or 1 for lease in others)))


def find_leases_beside(
    node: Node, nodes: Mapping[str, Node], leases: Mapping[str, Lease]
) -> dict[str, Lease]:
    """Return those of some leases whose nodes count against a node."""
    return {host: lease for host, lease in sorted(leases.items()) if are_neighbours(node, nodes[host])}


def name_leases(leases: Mapping[str, Lease | None]) -> str:
    """Say which nodes are out, and of a lease that is given whose it is."""
    return name_some(
        [
            f"{host} is out" if lease is None else f"{host} is out for {lease.holder}"
            for host, lease in leases.items()
        ]
    )


def wait_for_places(host: str, out: Mapping[str, Lease | None], limit: int) -> AdmissionDecision:
    """Say that a node waits until others are back.

    :param out: host -> the lease of another campaign; None: this one has the node out itself.
    """
    message = f"{name_leases(out)}: at most {limit} at once"
    return AdmissionDecision(host=host, admission=Admission.WAIT, code=Code.PARALLEL_LIMIT, message=message)
