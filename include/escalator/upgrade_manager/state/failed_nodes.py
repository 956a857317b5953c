"""Failed nodes: what becomes of them once their campaign has ended, and which of them are taken back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from escalator.model.bundle import Bundle
from escalator.model.campaign import CampaignPlan, CampaignRequest, LedgerView, NodeState
from escalator.model.failed_nodes import OnFailedNode
from escalator.model.verdict import Code

_NOT_DONE = frozenset({NodeState.FAILED, NodeState.HELD})
_A_PERSONS = frozenset({Code.LEASE_LOST, Code.ORDER_HOLD, Code.ORDER_ABORT_MOVES})
"""Why a node is held that a person has, or ordered to be held: that is for no campaign to undo."""


def choose_policy(request: CampaignRequest, bundle: Bundle) -> OnFailedNode:
    """Return what holds for failed nodes: the word of the run, else of its bundle, else quarantine."""
    return request.on_failed_node or bundle.on_failed_node or OnFailedNode.QUARANTINE


def settle_policy(request: CampaignRequest, bundle: Bundle) -> CampaignRequest:
    """Return a request as its plan keeps it: with the bundle's word on failed nodes where it has none."""
    if request.on_failed_node is not None or bundle.on_failed_node is None:
        return request
    return replace(request, on_failed_node=bundle.on_failed_node)


def find_to_take_back(
    plan: CampaignPlan, view: LedgerView, changed: Collection[str], *, known: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the nodes of an ended run that are to be taken back now, in the order of its plan.

    Nothing takes a rollback back, and a dry run changed nothing. A node that a person holds stays with that
    person.

    :param changed: hosts whose software the run changed, or began to change.
    :param known: hosts that a rollback was started for already: they are its matter.
    """
    policy = plan.request.on_failed_node or OnFailedNode.QUARANTINE
    if not policy.takes_back or plan.undoes is not None or plan.request.dry_run:
        return ()
    here = [host for host in plan.hosts if host in changed and host not in known]
    failed = [host for host in here if _is_left_failed(view, host)]
    if policy is OnFailedNode.ROLLBACK_NODE or not failed:
        return tuple(failed)
    return tuple(host for host in here if host in failed or _is_back(view, host))


def _is_left_failed(view: LedgerView, host: str) -> bool:
    """Tell whether a node is left out of service by the run that changed it, and is that run's still."""
    node = view.of(host)
    return node.state in _NOT_DONE and node.code not in _A_PERSONS


def _is_back(view: LedgerView, host: str) -> bool:
    """Tell whether a node serves that the run changed, also when it came to the door once more since."""
    node = view.of(host)
    again = node.state is NodeState.SKIPPED and node.code is Code.ALREADY_UPGRADED
    return again or node.state is NodeState.RELEASED
