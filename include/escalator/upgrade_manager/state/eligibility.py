"""Eligibility: may a campaign touch this node, and if not, why not.

Everybody who asks gets the same answer in the same words: the plan, the admission, the simulator, the check.
What follows from it is for each of them to say: an admission waits for a node whose service is down, a plan
leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass

from escalator.model.cloud import UNKNOWN_CELL, Node, ServiceState, ServiceStatus
from escalator.model.lease import Lease
from escalator.model.verdict import Code, Severity, Subject, Verdict

REMEDY_OF_LEASE = (
    "wait for that campaign; if it does not go on any more, `escalator leases` says what can be done"
)
"""What a person does about the lease of another campaign."""
NOVAS_OWN = "AUTO:"
"""What begins the reason when nova-compute disables its own service (nova.virt.libvirt: DISABLE_PREFIX)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Why a campaign may not touch a node.

    :ivar code: one of node_unknown, already_upgraded, disabled_by_others, disabled_by_nova, leased_by_others,
        node_down, node_bare_metal, cells_unknown.
    :ivar passing: it may be over without a person: the other campaign gives it back, its service comes up.
    """

    host: str
    code: Code
    message: str
    remedy: str
    passing: bool = False

    @property
    def sentence(self) -> str:
        """Say the reason and the remedy on one line."""
        return f"{self.message} -> {self.remedy}" if self.remedy else self.message

    def as_verdict(self, severity: Severity = Severity.BLOCKER) -> Verdict:
        """Say the same as a verdict about the node."""
        return Verdict(
            code=self.code,
            message=self.message,
            subject=Subject.of_node(self.host),
            severity=severity,
            remedy=self.remedy or None,
        )


def find_bar(host: str, node: Node | None, *, ours: bool = False) -> Bar | None:
    """Say why a campaign may not touch a node; None when it may.

    A node that is out under the campaign's own lease is not barred, whatever its state: the campaign's own
    steps have to mend it.

    :param host: nova-compute service host.
    :param node: what the cloud says of it; None: it knows no such node.
    :param ours: it is out under the lease of the campaign that asks.
    """
    if node is None:
        return _unknown(host)
    if ours:
        return None
    if node.bare_metal:
        return _bare_metal(host)
    if node.status is ServiceStatus.ENABLED:
        return _in_service(node)
    return _disabled(node) if node.lease is None else _leased(host, node.lease)


def _in_service(node: Node) -> Bar | None:
    """Say why a node that nobody has taken out of service may not be touched."""
    if node.upgraded:
        message = "the node runs already what the campaign brings"
        return Bar(host=node.host, code=Code.ALREADY_UPGRADED, message=message, remedy="")
    if node.cell == UNKNOWN_CELL:
        return _of_no_cell(node.host)
    return None if is_up(node) else _down(node)


def is_up(node: Node) -> bool:
    """Tell whether nova-compute of a node answers."""
    return node.state is ServiceState.UP and not node.forced_down


def describe_outage(node: Node) -> str:
    """Say why nova-compute of a node does not answer."""
    return "is forced down" if node.forced_down else "sends no heartbeat"


def _unknown(host: str) -> Bar:
    return Bar(
        host=host,
        code=Code.NODE_UNKNOWN,
        message=f"the cloud knows no compute service on {host}",
        remedy="correct the inventory, bring the service back, or leave the node out",
    )


def _of_no_cell(host: str) -> Bar:
    return Bar(
        host=host,
        code=Code.CELLS_UNKNOWN,
        message=f"nobody tells in which cell {host} is: where its servers may go is not known",
        remedy="write it into the inventory settings, or refresh the inventory from a controller",
    )


def _bare_metal(host: str) -> Bar:
    return Bar(
        host=host,
        code=Code.NODE_BARE_METAL,
        message=f"{host} is a host of Ironic's: its servers are machines that no drain can move",
        remedy="leave it out of the request",
    )


def _down(node: Node) -> Bar:
    return Bar(
        host=node.host,
        code=Code.NODE_DOWN,
        message=f"nova-compute on {node.host} {describe_outage(node)}: its servers cannot be moved",
        remedy="bring nova-compute up again, or leave the node out",
        passing=True,
    )


def _disabled(node: Node) -> Bar:
    if (node.disabled_reason or "").startswith(NOVAS_OWN):
        return Bar(
            host=node.host,
            code=Code.DISABLED_BY_NOVA,
            message=f"Nova itself disabled the node ({node.disabled_reason!r}), no person did: nothing can "
            "be started or moved there",
            remedy="mend what Nova lost there, as a rule libvirt: Nova then enables the node by itself; or "
            "leave the node out",
        )
    reason = f"with the reason {node.disabled_reason!r}" if node.disabled_reason else "without a reason"
    return Bar(
        host=node.host,
        code=Code.DISABLED_BY_OTHERS,
        message=f"somebody disabled the node {reason}: it stays as it is",
        remedy="enable it before the start of a run that is to upgrade it",
    )


def _leased(host: str, lease: Lease) -> Bar:
    who = lease.holder
    if lease.mark is None:
        return Bar(
            host=host,
            code=Code.LEASED_BY_OTHERS,
            message=f"{who} has the node out of service now",
            remedy=REMEDY_OF_LEASE,
            passing=True,
        )
    return Bar(
        host=host,
        code=Code.LEASED_BY_OTHERS,
        message=f"{who} left the node out of service as {lease.mark}",
        remedy="find the cause, mend it, then clear the node's tasks in that run or enable its compute "
        "service by hand",
    )
