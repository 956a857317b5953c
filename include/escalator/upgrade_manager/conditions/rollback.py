"""Check Smooth Roll-back Conditions: where the servers go when upgraded nodes return, and which cannot.

A return is an upgrade the other way round: the upgraded nodes are emptied one by one and brought back to the
old release; the nodes that were never upgraded, and those that are back, take their servers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from escalator.model.check_report import CheckReport, Condition
from escalator.model.cloud import CloudSnapshot, Node
from escalator.model.no_return import SERVERS_STUCK
from escalator.model.verdict import Code, Severity, Subject
from escalator.upgrade_manager.conditions import deadlocks, redundancy, servers, system, targets, timing, vnfs
from escalator.upgrade_manager.conditions.question import (
    Family,
    Question,
    ask,
    check_families,
    count,
    met,
    name_domain,
    unmet,
)
from escalator.upgrade_manager.conditions.unread import check_unread, is_incomplete
from escalator.upgrade_manager.conditions.way_back import find_one_way
from escalator.upgrade_manager.feasibility.sequence import drain_in_turn, upgrade_on_paper
from escalator.upgrade_manager.feasibility.spare import cut_to_domain
from escalator.upgrade_manager.state.hypervisors import HYPERVISOR, find_brought_version, hypervisor_of
from escalator.upgrade_manager.versions.release_version import ReleaseVersion


def check_rollback(question: Question) -> CheckReport:
    """Find everything that is in the way of a return of the plan's upgraded nodes to the old release.

    :param question: as for an upgrade; of its plan's hosts those that are not upgraded yet are looked at for
        the node after which there is no return.
    """
    if is_incomplete(question):
        return CheckReport(conditions=(*check_unread(question), *_bundle(question)))
    returning = tuple(h for h in question.plan.hosts if h in question.nodes and question.nodes[h].upgraded)
    backwards = ask(
        replace(question.plan, hosts=returning),
        mirror_cloud(question.snapshot),
        reachable=question.reachable,
        lacking=question.lacking,
        brings=_old_hypervisor(question.snapshot.nodes),
    )
    conditions = (
        *check_unread(question),
        *_bundle(question),
        *_nothing(question, returning),
        *check_families(backwards, cloud=(timing.FAMILY,), domain=_FAMILIES),
        *(c for domain in question.domains for c in check_point_of_no_return(question, domain)),
    )
    return CheckReport(conditions=conditions, expected=timing.estimate_seconds(backwards))


def check_point_of_no_return(question: Question, domain: str) -> Iterator[Condition]:
    """Say after which node, in the order in which they can go, there is no return for the upgraded ones."""
    order = [host for host in question.sequence.order if question.nodes[host].domain == domain]
    if not order:
        return
    number = _first_without_return(question, domain, order)
    if number is None:
        yield met(
            Code.POINT_OF_NO_RETURN,
            name_domain(domain),
            f"a return is possible after each of the {count(len(order), 'node')}: their servers have places",
        )
        return
    if number == 0:
        yield unmet(
            Code.POINT_OF_NO_RETURN,
            name_domain(domain),
            "the point of no return is passed: not all upgraded nodes can return now",
            "upgrade the rest, or bring the nodes back by what the conditions above say",
            Severity.WARNING,
            hosts=order,
        )
        return
    yield unmet(
        Code.POINT_OF_NO_RETURN,
        name_domain(domain),
        f"no return once node {number} of {len(order)}, {order[number - 1]}, is upgraded: {SERVERS_STUCK}",
        f"prove the new release on the {count(number - 1, 'node')} before it; have a backup before going on"
        if number > 1
        else "have a backup before the start",
        Severity.WARNING,
        hosts=order[number - 1 :],
    )


def mirror_cloud(snapshot: CloudSnapshot) -> CloudSnapshot:
    """Return the cloud as a return sees it: upgraded nodes are still to be done, the others are done."""
    return replace(snapshot, nodes=tuple(replace(n, upgraded=not n.upgraded) for n in snapshot.nodes))


def _bundle(question: Question) -> Iterator[Condition]:
    bundle = question.bundle
    if bundle is None:
        cloud = Subject.of_cloud(question.snapshot.cloud)
        message = "no bundle was named: whether it can go back was not looked at"
        yield unmet(Code.NOT_CHECKED, cloud, message, "name it with --bundle", Severity.INFO)
        return
    subject = Subject.of_bundle(bundle.name)
    reason = find_one_way(bundle) if bundle.rollback_supported else "it does not support a rollback"
    if not reason:
        yield met(Code.BUNDLE_COMPLETE, subject, "it supports a rollback")
    else:
        yield unmet(
            Code.NO_WAY_BACK,
            subject,
            reason,
            "restore the nodes from a backup, or upgrade them further",
        )


def _nothing(question: Question, returning: Collection[str]) -> Iterator[Condition]:
    if not returning:
        cloud = Subject.of_cloud(question.snapshot.cloud)
        yield met(Code.NOTHING_UPGRADED, cloud, "nothing is to be done: none of the nodes is upgraded")


def _one_way(question: Question, domain: str) -> Iterator[Condition]:
    """Name the nodes whose servers are tied to the newer hypervisor; the question is the mirrored one."""
    ahead = [
        node
        for host in question.pending_in(domain)
        if (version := hypervisor_of(node := question.nodes[host])) is not None
        and question.brings is not None
        and version > question.brings
    ]
    for node in ahead:
        if node.host in question.sequence.stuck:
            tied = count(len(question.book.movable({node.host})), "server")
            yield unmet(
                Code.NO_WAY_BACK,
                Subject.of_node(node.host),
                f"one-way: {tied} on its hypervisor {node.versions[HYPERVISOR]} cannot move to "
                f"{question.brings}, which the nodes that are back have",
                "leave it upgraded, or allow its servers to move cold, or restore it from a backup",
            )


def _first_without_return(question: Question, domain: str, order: list[str]) -> int | None:
    """Return the number of the first node after which there is no return; None when there always is one.

    :return: 0 when there is none now.
    """
    start = cut_to_domain(question.snapshot, domain)
    done = [node.host for node in start.nodes if node.upgraded]
    stay, old = question.plan.members_stay, _old_hypervisor(start.nodes)
    brings = find_brought_version(question.bundle)

    def returns(number: int) -> bool:
        then = upgrade_on_paper(start, order[:number], members_stay=stay, brings=brings)
        hosts = (*done, *order[:number])
        return drain_in_turn(mirror_cloud(then), hosts, members_stay=stay, brings=old).feasible

    if not returns(0):
        return 0
    if returns(len(order)):
        return None
    low, high = 0, len(order)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if returns(middle) else (low, middle)
    return high


def _old_hypervisor(nodes: Collection[Node]) -> ReleaseVersion | None:
    """Return the newest hypervisor among the nodes that are not upgraded; None when none is known."""
    versions = [v for node in nodes if not node.upgraded and (v := hypervisor_of(node)) is not None]
    return max(versions, default=None)


def _forecast(question: Question, domain: str) -> Iterator[Condition]:
    """Say it before the start, of a bundle that brings a hypervisor; without one there is always a return."""
    if question.brings is not None:
        yield from check_point_of_no_return(question, domain)


FORECAST = Family(code=Code.POINT_OF_NO_RETURN, check=_forecast)
_FAMILIES: tuple[Family, ...] = (
    targets.HOLDERS,
    targets.REACH,
    system.FAMILY,
    servers.FAMILY,
    redundancy.CAPACITY,
    deadlocks.FAMILY,
    Family(code=Code.NO_WAY_BACK, check=_one_way),
    redundancy.PARALLEL,
    vnfs.FAMILY,
)
