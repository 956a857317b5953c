"""Check Smooth Upgrade Conditions: everything that is in the way of a campaign, before it begins.

A blocker about a node keeps that node out of the campaign; a blocker about the domain stops the campaign.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from escalator.model.campaign import CampaignPlan
from escalator.model.cloud import CloudSnapshot, Node, ServiceState, ServiceStatus
from escalator.model.verdict import Code, Severity, Subject, SubjectType, Verdict
from escalator.upgrade_manager.capacity import CapacityBook
from escalator.upgrade_manager.domains import neighbours


def check_conditions(
    plan: CampaignPlan, snapshot: CloudSnapshot, *, reachable: Mapping[str, str | None]
) -> tuple[Verdict, ...]:
    """Find everything that speaks against a campaign; every finding says what can be done.

    :param reachable: host -> None when it was reached over SSH, else what went wrong; hosts that were not
        tried are left out.
    """
    book = CapacityBook(snapshot)
    return tuple(
        chain(
            _presence(plan, snapshot),
            _services(plan, snapshot),
            _disabled(plan, snapshot),
            _reachability(plan, snapshot, reachable),
            _servers(plan, snapshot),
            _migrations(plan, snapshot),
            _capacity(plan, snapshot, book),
        )
    )


def _presence(plan: CampaignPlan, snapshot: CloudSnapshot) -> Iterator[Verdict]:
    known = {node.host for node in snapshot.nodes}
    for host in plan.hosts:
        if host not in known:
            yield _about(
                host,
                Code.NODE_UNKNOWN,
                "it is in the plan, but the cloud has no such compute node",
                "refresh the inventory, or leave the node out",
            )


def _services(plan: CampaignPlan, snapshot: CloudSnapshot) -> Iterator[Verdict]:
    for node in _by_name(snapshot):
        if _up(node):
            continue
        own = plan.lease(node.host).same_holder(node.lease)
        target = node.host in plan.hosts and (node.status is ServiceStatus.ENABLED or own)
        how = "is forced down" if node.forced_down else "sends no heartbeat"
        yield _about(
            node.host,
            Code.SERVICE_DOWN,
            f"its nova-compute {how}" + ("" if target else ": it takes no servers"),
            "bring nova-compute up again" + (", or leave the node out" if target else ""),
            Severity.BLOCKER if target else Severity.WARNING,
        )


def _disabled(plan: CampaignPlan, snapshot: CloudSnapshot) -> Iterator[Verdict]:
    for node in _by_name(snapshot):
        if node.host not in plan.hosts or node.status is ServiceStatus.ENABLED:
            continue
        lease = node.lease
        if lease is None:
            yield _about(
                node.host,
                Code.DISABLED_BY_OTHERS,
                f"somebody disabled it ({node.disabled_reason or 'no reason given'}): it will be skipped",
                "enable it before the start if it is to be upgraded",
                Severity.INFO,
            )
        elif not plan.lease(node.host).same_holder(lease):
            ended = lease.mark is not None
            yield _about(
                node.host,
                Code.LEASED_BY_OTHERS,
                f"campaign {lease.campaign} (run {lease.run}) "
                + (f"left it out of service as {lease.mark}" if ended else "has it out of service now"),
                "mend the node, then end that campaign's hold on it" if ended else "wait for that campaign",
                Severity.WARNING,
            )


def _reachability(
    plan: CampaignPlan, snapshot: CloudSnapshot, reachable: Mapping[str, str | None]
) -> Iterator[Verdict]:
    skipped = {n.host for n in snapshot.nodes if n.status is not ServiceStatus.ENABLED and n.lease is None}
    for host in sorted(plan.hosts):
        if host not in skipped and (problem := reachable.get(host)) is not None:
            yield _about(
                host,
                Code.NODE_UNREACHABLE,
                f"SSH does not get there: {problem}",
                "mend the connection, the host key or the account, or leave the node out",
            )


def _servers(plan: CampaignPlan, snapshot: CloudSnapshot) -> Iterator[Verdict]:
    domain = _domain_hosts(plan, snapshot)
    for server in sorted(snapshot.servers, key=lambda s: (s.name, s.id)):
        if server.host in domain and server.vm_state == "error":
            yield Verdict(
                code=Code.SERVER_ERROR,
                message=f"it is in ERROR on {server.host} and cannot be moved",
                subject=Subject(type=SubjectType.SERVER, id=server.id, name=server.name),
                severity=Severity.WARNING,
                remedy="find out why, then reset its state or delete it",
            )


def _migrations(plan: CampaignPlan, snapshot: CloudSnapshot) -> Iterator[Verdict]:
    domain = _domain_hosts(plan, snapshot)
    for migration in sorted(snapshot.migrations, key=lambda m: m.id):
        if migration.status.unfinished and not domain.isdisjoint(
            {migration.source_host, migration.dest_host}
        ):
            yield Verdict(
                code=Code.MIGRATION_UNFINISHED,
                message=f"the {migration.type} of server {migration.server_id} from {migration.source_host} "
                f"to {migration.dest_host or 'a node not chosen yet'} is {migration.status}",
                subject=Subject(type=SubjectType.MIGRATION, id=migration.uuid),
                severity=Severity.WARNING,
                remedy="let it end, or abort it; confirm or revert a finished resize",
            )


def _capacity(plan: CampaignPlan, snapshot: CloudSnapshot, book: CapacityBook) -> Iterator[Verdict]:
    """Simulate each target's drain alone, then as many at once as the plan allows.

    A node that lacks room only while others are out is warned of: they may return.
    """
    nodes = {node.host: node for node in snapshot.nodes}
    pending = [host for host in plan.hosts if host in nodes and _pending(plan, nodes[host])]
    drainable: list[str] = []
    for host in pending:
        simulation = book.simulate({host})
        if simulation.feasible:
            drainable.append(host)
            continue
        passing = any(n.lease is not None and n.lease.mark is None for n in neighbours(snapshot, host))
        yield _about(
            host,
            Code.CAPACITY,
            simulation.shortfall,
            "add or free capacity in the domain, or leave the node out",
            Severity.WARNING if passing else Severity.BLOCKER,
        )
    yield from _parallel(plan, book, drainable)


def _parallel(plan: CampaignPlan, book: CapacityBook, drainable: list[str]) -> Iterator[Verdict]:
    """Say how many nodes can be out at once when the capacity does not carry what was asked for."""
    wanted = min(plan.request.max_parallel, len(drainable))
    works = next((k for k in range(wanted, 1, -1) if _crowded(book, drainable, k) is None), 1)
    if works >= wanted:
        return
    together = _crowded(book, drainable, works + 1) or ()
    yield Verdict(
        code=Code.REQUEST_PARALLEL_IMPOSSIBLE,
        message=f"max_parallel={plan.request.max_parallel} is more than the capacity carries: "
        f"{', '.join(together)} cannot be out together; {works} works",
        subject=Subject(type=SubjectType.DOMAIN, id=plan.request.domain),
        severity=Severity.WARNING,
        remedy=f"ask for max_parallel={works}; otherwise nodes wait until there is room",
    )


def _crowded(book: CapacityBook, hosts: list[str], count: int) -> tuple[str, ...] | None:
    """Return the first nodes that follow one another in the plan and cannot be out together."""
    groups = (tuple(hosts[start : start + count]) for start in range(len(hosts) - count + 1))
    return next((group for group in groups if not book.simulate(group).feasible), None)


def _pending(plan: CampaignPlan, node: Node) -> bool:
    """Tell whether a node is still to be emptied, and may be."""
    if not _up(node):
        return False
    if node.status is ServiceStatus.ENABLED:
        return not node.upgraded
    return node.lease is not None and plan.lease(node.host).same_holder(node.lease)


def _up(node: Node) -> bool:
    return node.state is ServiceState.UP and not node.forced_down


def _domain_hosts(plan: CampaignPlan, snapshot: CloudSnapshot) -> frozenset[str]:
    in_domain = (node.host for node in snapshot.nodes if node.domain == plan.request.domain)
    return frozenset({*in_domain, *plan.hosts})


def _by_name(snapshot: CloudSnapshot) -> list[Node]:
    return sorted(snapshot.nodes, key=lambda node: node.host)


def _about(
    host: str, code: Code, message: str, remedy: str, severity: Severity = Severity.BLOCKER
) -> Verdict:
    subject = Subject(type=SubjectType.NODE, id=host)
    return Verdict(code=code, message=message, subject=subject, severity=severity, remedy=remedy)
