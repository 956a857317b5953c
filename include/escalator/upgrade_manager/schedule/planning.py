"""Planning: which nodes a campaign upgrades, and in which order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from escalator.model.bundle import Bundle
from escalator.model.campaign import CampaignPlan, CampaignRequest
from escalator.model.cloud import CloudSnapshot, ServiceState, ServiceStatus
from escalator.model.errors import InvalidRequestError, PlanInfeasibleError
from escalator.model.verdict import Code, Subject, SubjectType, Verdict
from escalator.upgrade_manager.drain.placing import simulate
from escalator.upgrade_manager.schedule.ordering import order_hosts
from escalator.upgrade_manager.state.availability import Availability
from escalator.upgrade_manager.state.capacity import CapacityBook
from escalator.upgrade_manager.state.domains import find_neighbours

_COMPUTE = "nova-compute"


def plan_campaign(
    request: CampaignRequest, *, campaign: str, run_id: str, snapshot: CloudSnapshot, bundle: Bundle
) -> CampaignPlan:
    """Put the nodes of a request in order: of each domain a cheap one first, then as HA groups want it.

    An empty node goes first and becomes the place where the servers of the others land. Nodes that will be
    skipped or held stay in the plan: the admission says so of each, with its reason.

    :param campaign: id of the campaign: the DAG id.
    :param run_id: id of the run.
    :param bundle: what ``request.bundle`` names.
    :raises InvalidRequestError: the bundle does not say which release nova-compute is to have.
    :raises PlanInfeasibleError: no node of the request can be upgraded; carries what is in the way of each.
    """
    target = bundle.target_version(_COMPUTE)
    if target is None:
        raise InvalidRequestError(
            f"bundle {bundle.name} brings no {_COMPUTE}", remedy=f"name {_COMPUTE} among its components"
        )
    hosts = request.hosts or tuple(n.host for n in snapshot.nodes if n.domain == request.domain)
    if not hosts:
        raise PlanInfeasibleError(
            f"no node to upgrade: domain {request.domain} has none", remedy="refresh the inventory"
        )
    stay = bundle.members_stay
    book = CapacityBook(snapshot, members_stay=stay, pending=hosts)
    obstacles = {host: _obstacle(snapshot, book, host) for host in hosts}
    blockers = tuple(verdict for verdict in obstacles.values() if verdict is not None)
    if len(blockers) == len(obstacles):
        reasons = "; ".join(map(str, blockers))
        raise PlanInfeasibleError(f"no node can be upgraded: {reasons}", blockers=blockers)
    return CampaignPlan(
        campaign=campaign,
        run_id=run_id,
        request=request,
        hosts=order_campaign(book, obstacles),
        target_version=target,
        window_end=request.window_end,
        members_stay=stay,
        fingerprint=compute_fingerprint(snapshot, hosts),
    )


def revalidate_plan(plan: CampaignPlan, snapshot: CloudSnapshot) -> CampaignPlan:
    """Return the plan as it is while the cloud is the one it was made for; else with its nodes in new order.

    A campaign's own moves do not change the cloud in this sense; servers and groups that come or go do.
    Which nodes belong to the campaign stays.
    """
    now = compute_fingerprint(snapshot, plan.hosts)
    if plan.fingerprint in {"", now}:
        return plan
    book = CapacityBook(snapshot, members_stay=plan.members_stay, pending=plan.hosts)
    return replace(plan, hosts=order_campaign(book, sorted(plan.hosts)), fingerprint=now)


def compute_fingerprint(snapshot: CloudSnapshot, hosts: Iterable[str]) -> str:
    """Return a digest of what an order depends on: which servers and groups there are, not where they are."""
    wanted = set(hosts)
    domains = {node.domain for node in snapshot.nodes if node.host in wanted}
    near = {node.host for node in snapshot.nodes if node.domain in domains}
    servers = sorted(
        (s.id, s.ha_group or "", sorted(s.resources.items())) for s in snapshot.servers if s.host in near
    )
    groups = sorted((g.id, g.mode, sorted(g.members)) for g in snapshot.ha_groups)
    return hashlib.sha256(repr((sorted(near), servers, groups)).encode()).hexdigest()


def order_campaign(book: CapacityBook, hosts: Iterable[str]) -> tuple[str, ...]:
    """Put hosts in the order in which they are asked; those that the cloud does not know come last."""
    known = [host for host in hosts if host in book.nodes]
    unknown = sorted(host for host in hosts if host not in book.nodes)
    availability = Availability(book.memberships)
    return (*order_hosts(book, availability, known), *unknown)


def _obstacle(snapshot: CloudSnapshot, book: CapacityBook, host: str) -> Verdict | None:
    """Say why a node cannot be upgraded at all; None when it can, now or later, or needs nothing."""
    node = snapshot.node(host)
    if node is None:
        return _verdict(
            host, Code.NODE_UNKNOWN, "the cloud has no such compute node", "refresh the inventory"
        )
    if node.lease is not None or (node.upgraded and node.status is ServiceStatus.ENABLED):
        return None
    if node.status is ServiceStatus.DISABLED:
        return _verdict(
            host,
            Code.DISABLED_BY_OTHERS,
            f"somebody disabled the node ({node.disabled_reason or 'no reason given'})",
            "enable it, or leave it out",
        )
    if node.state is ServiceState.DOWN or node.forced_down:
        return _verdict(host, Code.NODE_DOWN, "its nova-compute is down", "bring nova-compute up again")
    simulation = simulate(book, {host})
    out_now = (n.lease is not None and n.lease.mark is None for n in find_neighbours(snapshot, host))
    if simulation.feasible or any(out_now):
        return None
    remedy = "add or free capacity in the domain"
    return _verdict(host, Code.CAPACITY, simulation.shortfall, remedy)


def _verdict(host: str, code: Code, message: str, remedy: str) -> Verdict:
    subject = Subject(type=SubjectType.NODE, id=host)
    return Verdict(code=code, message=message, subject=subject, remedy=remedy)
