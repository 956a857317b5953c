"""Nodes that cross a point of no return: whether a person has to be asked before, and what was said."""

from __future__ import annotations

from escalator.model.campaign import CampaignPlan, LedgerView, NodeProgress, NodeState
from escalator.model.verdict import Code


def find_crossing(plan: CampaignPlan, ledger: LedgerView, host: str) -> str:
    """Say why there is no return once a node is changed, as the campaign stands; empty: there is one."""
    changed = sum(node.host != host and _is_changed(node) for node in ledger.nodes)
    return plan.no_return.find_reason(host, changed)


def _is_changed(node: NodeProgress) -> bool:
    """Tell whether a node was changed, is out, or may be: one that is held out, or that somebody took."""
    if node.state is NodeState.HELD:
        return node.mark is not None or node.code is Code.LEASE_LOST
    return node.state.under_way or node.state in {NodeState.RELEASED, NodeState.FAILED}


def find_asked(ledger: LedgerView, *, but: str = "") -> tuple[str, ...]:
    """Return the nodes that wait for a person's word whether they may go out.

    :param but: a host that is not counted.
    """
    return tuple(
        sorted(host for host in ledger.crossings_asked if host != but and not ledger.of(host).state.ended)
    )


def needs_word(plan: CampaignPlan, ledger: LedgerView, host: str) -> str:
    """Say what a person has to be asked about before a node goes out; empty: nothing, or others ask."""
    if not plan.request.ask_before_one_way or plan.request.dry_run or ledger.crossing is not None:
        return ""
    return "" if find_asked(ledger, but=host) else find_crossing(plan, ledger, host)
