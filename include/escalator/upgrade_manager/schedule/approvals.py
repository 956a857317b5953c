"""Approvals: after which nodes a person has to say that the campaign goes on, and what was said."""

from __future__ import annotations

from escalator.model.approval import Approval
from escalator.model.campaign import CampaignPlan, LedgerView, NodeState


def find_unapproved(plan: CampaignPlan, ledger: LedgerView, *, but: str = "") -> tuple[str, ...]:
    """Return the nodes that were given back and that somebody has still to approve.

    :param but: a host that is not counted.
    """
    wanted = plan.request.approval
    if wanted is Approval.NONE or (wanted is Approval.CANARY and ledger.approvals):
        return ()
    back = (n.host for n in ledger.nodes if n.state is NodeState.RELEASED and n.host != but)
    return tuple(sorted(host for host in back if host not in ledger.approvals))


def is_one_by_one(plan: CampaignPlan, ledger: LedgerView) -> bool:
    """Tell whether no node may go out beside another one: each is to be approved, or the first still is."""
    wanted = plan.request.approval
    return wanted is Approval.EVERY_NODE or (wanted is Approval.CANARY and not ledger.approvals)


def needs_answer(plan: CampaignPlan, ledger: LedgerView, host: str) -> bool:
    """Tell whether a person is to be asked now whether the campaign goes on after a node.

    Nobody is asked when no node is left to go, or somebody has said no already.
    """
    left = any(other != host for other in list_left(plan, ledger))
    refused = any(not answer.go_on for answer in ledger.approvals.values())
    return left and not refused and host in find_unapproved(plan, ledger)


def list_left(plan: CampaignPlan, ledger: LedgerView) -> tuple[str, ...]:
    """Return the nodes that may still go out: those that gave way come again, though their way has ended."""
    return tuple(host for host in plan.hosts if not (node := ledger.of(host)).state.ended or node.gave_way)
