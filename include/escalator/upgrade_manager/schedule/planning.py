"""Planning: which nodes a campaign upgrades, and in which order.

There is one order: a plan shows it, a simulation plays it, a campaign keeps it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from escalator.model.bundle import COMPUTE, Bundle
from escalator.model.campaign import CampaignPlan, CampaignRequest, LeftOut, RunOf, UpgradeMode
from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import InvalidRequestError, PlanInfeasibleError
from escalator.model.lease import NO_INSTALLATION
from escalator.model.verdict import Code, Subject, Verdict
from escalator.upgrade_manager.drain.placing import simulate
from escalator.upgrade_manager.drain.prechecks import PASSING, ServerContext, check_server
from escalator.upgrade_manager.drain.stops import is_stoppable, mark_unmovable
from escalator.upgrade_manager.schedule.ordering import order_hosts
from escalator.upgrade_manager.state.availability import Availability
from escalator.upgrade_manager.state.capacity import CapacityBook
from escalator.upgrade_manager.state.domains import find_neighbours
from escalator.upgrade_manager.state.eligibility import find_bar
from escalator.upgrade_manager.state.failed_nodes import settle_policy
from escalator.upgrade_manager.state.hypervisors import hypervisor_of

_NO_OBSTACLE = frozenset({Code.ALREADY_UPGRADED, Code.LEASED_BY_OTHERS})
"""What bars a node without being in the way of a campaign: nothing is to be done, or only later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOrder:
    """In which order the targets of a campaign go.

    :ivar going: hosts, in the order of preference.
    :ivar barred: host -> why it does not go as things are.
    """

    going: tuple[str, ...]
    barred: Mapping[str, Verdict]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return all targets: those that go, then those that do not as things are, by name."""
        return (*self.going, *sorted(self.barred))


def order_targets(
    book: CapacityBook,
    hosts: Iterable[str],
    *,
    mode: UpgradeMode,
    ours: Collection[str] = (),
    seed: int = 0,
    hard_first: bool = False,
    in_turn: Sequence[str] = (),
) -> TargetOrder:
    """Put targets in the order in which they go; those that may not be touched, or not emptied, are named.

    In ``book`` a target that does not go counts as spare from now on: what lands there need not move again.

    :param hosts: nova-compute service hosts to upgrade.
    :param mode: in smooth mode no server is stopped: a node with one that must not be moved does not go.
    :param ours: hosts that are out under the lease of the campaign that asks.
    :param seed: of the annealing; the same seed gives the same order.
    :param hard_first: nodes whose servers are hard to place go first, whatever it costs.
    :param in_turn: hosts in the order that is wanted, whatever it costs; empty: the cheapest is found.
    """
    barred: dict[str, Verdict] = {}
    going: list[str] = []
    for host in hosts:
        bar = find_bar(host, book.nodes.get(host), ours=host in ours)
        verdict = bar.as_verdict() if bar is not None else _find_stuck_server(book, host, mode)
        if verdict is None:
            going.append(host)
        else:
            barred[host] = verdict
    for host in barred:
        if host in book.nodes:
            book.leave_out(host)
    turns = {host: number for number, host in enumerate(in_turn)}
    if turns:
        order = tuple(sorted(going, key=lambda host: turns.get(host, len(turns))))
    else:
        order = order_hosts(book, Availability(book.memberships), going, seed=seed)
    if hard_first:
        order = tuple(sorted(order, key=lambda host: _rate_difficulty(book, host), reverse=True))
    return TargetOrder(going=order, barred=barred)


def plan_campaign(
    request: CampaignRequest,
    *,
    campaign: str,
    run_id: str,
    snapshot: CloudSnapshot,
    bundle: Bundle,
    hosts: Sequence[str] = (),
    window_end: datetime | None = None,
    installation: str = NO_INSTALLATION,
    left_out: Sequence[LeftOut] = (),
    undoes: RunOf | None = None,
) -> CampaignPlan:
    """Put the nodes of a request in order: of each domain a cheap one first, then as HA groups want it.

    An empty node goes first and becomes the place where the servers of the others land. Nodes that will be
    skipped or held stay in the plan: the admission says so of each, with its reason.

    :param campaign: id of the campaign: the DAG id.
    :param run_id: id of the run.
    :param bundle: what ``request.bundle`` names.
    :param hosts: the nodes that a request means which names none; empty: all of its domain.
    :param window_end: end (aware) of the maintenance window of the run; what the request says goes before it.
    :param installation: id of the installation that the campaign is of.
    :param left_out: nodes of the request that are not to be upgraded after all.
    :param undoes: the run that the campaign takes back: ``hosts`` are in the order in which they go.
    :raises InvalidRequestError: the bundle does not say which release nova-compute is to have.
    :raises PlanInfeasibleError: no node of the request can be upgraded; carries what is in the way of each.
    """
    target = _find_target(bundle)
    wanted = _find_wanted(request, hosts, snapshot, left_out)
    plan = CampaignPlan(
        campaign=campaign,
        run_id=run_id,
        request=settle_policy(request, bundle),
        hosts=wanted,
        target_version=target,
        window_end=request.window_end or window_end,
        members_stay=bundle.members_stay,
        fingerprint=compute_fingerprint(snapshot, wanted),
        installation=installation,
        left_out=tuple(left_out),
        undoes=undoes,
    )
    marked = mark_unmovable(snapshot, request.mode)
    book = CapacityBook(marked, members_stay=plan.members_stay, pending=wanted, in_flight=False)
    own = _find_own(book, plan)
    _refuse_hopeless(snapshot, book, wanted, own)
    order = order_targets(book, wanted, mode=request.mode, ours=own, in_turn=hosts if undoes else ())
    return replace(plan, hosts=order.hosts)


def _find_target(bundle: Bundle) -> str:
    target = bundle.target_version(COMPUTE)
    if target is None:
        raise InvalidRequestError(
            f"bundle {bundle.name} brings no {COMPUTE}", remedy=f"name {COMPUTE} among its components"
        )
    return target


def _find_wanted(
    request: CampaignRequest, hosts: Sequence[str], snapshot: CloudSnapshot, left_out: Sequence[LeftOut]
) -> tuple[str, ...]:
    """Return the nodes that a request is for, without those left out."""
    in_domain = (node.host for node in snapshot.nodes if node.domain == request.domain)
    out = {node.host for node in left_out}
    asked = request.hosts or tuple(hosts) or tuple(in_domain)
    wanted = tuple(host for host in asked if host not in out)
    if not wanted:
        raise PlanInfeasibleError(
            f"no node to upgrade: domain {request.domain} has none", remedy="refresh the inventory"
        )
    return wanted


def revalidate_plan(plan: CampaignPlan, snapshot: CloudSnapshot) -> CampaignPlan:
    """Return the plan as it is while the cloud is the one it was made for; else with its nodes in new order.

    A campaign's own moves do not change the cloud in this sense; servers and groups that come or go do.
    Which nodes belong to the campaign stays.
    """
    now = compute_fingerprint(snapshot, plan.hosts)
    if plan.fingerprint in {"", now}:
        return plan
    snapshot = mark_unmovable(snapshot, plan.request.mode)
    book = CapacityBook(snapshot, members_stay=plan.members_stay, pending=plan.hosts, in_flight=False)
    turns = plan.hosts if plan.undoes is not None else ()
    own = _find_own(book, plan)
    order = order_targets(book, plan.hosts, mode=plan.request.mode, ours=own, in_turn=turns)
    return replace(plan, hosts=order.hosts, fingerprint=now)


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


def _find_own(book: CapacityBook, plan: CampaignPlan) -> frozenset[str]:
    """Return the hosts that are out and this campaign's to mend."""
    return frozenset(
        host for host in plan.hosts if (node := book.nodes.get(host)) is not None and plan.may_mend(node)
    )


def _refuse_hopeless(
    snapshot: CloudSnapshot, book: CapacityBook, hosts: Collection[str], own: Collection[str]
) -> None:
    """Refuse a plan none of whose nodes can be upgraded."""
    obstacles = [None if h in own else _find_obstacle(snapshot, book, h) for h in hosts]
    blockers = tuple(verdict for verdict in obstacles if verdict is not None)
    if len(blockers) == len(obstacles):
        reasons = "; ".join(map(str, blockers))
        raise PlanInfeasibleError(f"no node can be upgraded: {reasons}", blockers=blockers)


def _find_obstacle(snapshot: CloudSnapshot, book: CapacityBook, host: str) -> Verdict | None:
    """Say why a node cannot be upgraded at all; None when it can, now or later, or needs nothing."""
    bar = find_bar(host, book.nodes.get(host))
    if bar is not None:
        return None if bar.code in _NO_OBSTACLE else bar.as_verdict()
    simulation = simulate(book, {host})
    out_now = (n.counting_lease is not None for n in find_neighbours(snapshot, host))
    if simulation.feasible or any(out_now):
        return None
    return Verdict(
        code=Code.CAPACITY,
        message=simulation.shortfall,
        subject=Subject.of_node(host),
        remedy="add or free capacity in the domain",
    )


def _find_stuck_server(book: CapacityBook, host: str, mode: UpgradeMode) -> Verdict | None:
    """Say which server cannot leave a node and must not stay on it either."""
    context = ServerContext(hypervisor=hypervisor_of(book.nodes[host]))
    for server in book.servers(host):
        if book.stays(server) or server.on_no_node:
            continue
        pinned = server.migration == "none" and is_stoppable(server)
        findings = check_server(server, context)
        verdict = next((v for v in findings if v.blocks and not _passes(book, host, v, pinned)), None)
        if verdict is not None:
            return verdict
        if pinned and mode is UpgradeMode.SMOOTH:
            return Verdict(
                code=Code.SERVER_PINNED,
                message="it must not be moved: in non-smooth mode it is stopped and started around the "
                "upgrade of its node",
                subject=server.subject,
                remedy="take it off the node by hand, allow its move, or leave the node out",
            )
    return None


def _is_another_out(book: CapacityBook, host: str) -> bool:
    """Tell whether a campaign has a node of the domain out: it confirms the resizes that it made."""
    domain = book.nodes[host].domain
    return any(n.counting_lease is not None for n in book.nodes.values() if n.domain == domain)


def _passes(book: CapacityBook, host: str, verdict: Verdict, pinned: bool) -> bool:  # noqa: FBT001
    """Tell whether a finding about a server keeps its node in for a while only, or only in smooth mode.

    :param pinned: the server must not be moved in any state.
    """
    if verdict.code is Code.SERVER_UNCONFIRMED_RESIZE:
        return _is_another_out(book, host)
    return verdict.code in PASSING or (pinned and verdict.code is Code.SERVER_PINNED)


def _rate_difficulty(book: CapacityBook, host: str) -> tuple[int, int]:
    """Return how hard a node's servers are to place: how many want traits, and the largest memory (MiB)."""
    servers = book.movable((host,))
    largest = max((book.shape(server).memory for server in servers), default=0)
    return sum(bool(server.required_traits) for server in servers), largest
