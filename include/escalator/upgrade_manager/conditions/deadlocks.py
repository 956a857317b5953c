"""Deadlocks: servers that no free room would help, who they are, and the smallest thing that frees them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import ceil

from escalator.model.check_report import Condition
from escalator.model.cloud import Node, Server
from escalator.model.verdict import Code, Subject, SubjectType
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import Family, Question, count, name_domain, unmet
from escalator.upgrade_manager.state.hypervisors import HYPERVISOR
from escalator.upgrade_manager.state.memberships import AFFINITY


def check_deadlocks(question: Question, domain: str) -> Iterator[Condition]:
    """Explain what keeps servers of the stuck targets from every node, for good."""
    by_code: dict[Code, list[Server]] = defaultdict(list)
    for host in question.pending_in(domain):
        simulation = question.sequence.stuck.get(host)
        homeless = {v.subject.id: v.code for v in simulation.unplaced} if simulation else {}
        for server in question.book.servers(host) if homeless else ():
            if server.id in homeless:
                by_code[homeless[server.id]].append(server)
    yield from _groups(question, domain, by_code[Code.SERVER_GROUP])
    yield from _zones(domain, by_code[Code.SERVER_PINNED])
    roomless = [*by_code[Code.NO_DESTINATION], *by_code[Code.CAPACITY]]
    tied = (s for s in roomless if question.book.shape(s).live and question.sequence.older.get(s.host or ""))
    young = [*by_code[Code.HYPERVISOR_OLDER], *tied]
    yield from _young(question, domain, young)
    yield from _no_node(question, domain, [s for s in by_code[Code.NO_DESTINATION] if s not in young])
    yield from _giants(question, domain, [s for s in by_code[Code.CAPACITY] if s not in young])


def _groups(question: Question, domain: str, servers: Sequence[Server]) -> Iterator[Condition]:
    memberships = question.book.memberships
    groups = sorted({memberships.server_group_of[server.id] for server in servers})
    for group_id in groups:
        group = memberships.server_groups[group_id]
        policy, most = group.policy, group.max_server_per_host
        members = {
            server.id: server
            for host in question.hosts_of[domain]
            for server in question.book.servers(host)
            if memberships.server_group_of.get(server.id) == group_id
        }
        subject = Subject(type=SubjectType.SERVER_GROUP, id=group_id)
        hosts = _hosts([s for s in servers if memberships.server_group_of[s.id] == group_id])
        where = name_some([f"{s.name} on {s.host}" for s in members.values()])
        if policy == AFFINITY:
            yield unmet(
                Code.GROUP_DEADLOCK,
                subject,
                f"its policy {policy} keeps its {len(members)} members together ({where}), and Nova moves "
                "servers one by one: none of them may go first",
                "make its members anew in a group of policy soft-affinity, as Nova changes the group of no "
                f"server, or scale the group in by {len(members) - 1}, or leave their node out",
                hosts=hosts,
            )
            continue
        nodes = sum(question.nodes[host].eligible_destination for host in question.hosts_of[domain])
        missing = max(1, ceil(len(members) / most) + 1 - nodes)
        surplus = max(1, len(members) - (nodes - 1) * most)
        apart = "apart" if most == 1 else f"apart, at most {most} on a node"
        yield unmet(
            Code.GROUP_DEADLOCK,
            subject,
            f"its policy {policy} keeps its {len(members)} members {apart} ({where}), and domain {domain} "
            f"has {count(nodes, 'node')} that take servers: one that leaves its node finds no other",
            f"one of: {count(missing, 'more node')} in domain {domain}; the members made anew in a group of "
            f"policy soft-{policy}, as Nova changes the group of no server; "
            f"the group scaled in by {surplus}",
            hosts=hosts,
        )


def _zones(domain: str, servers: Sequence[Server]) -> Iterator[Condition]:
    zones = sorted({server.pinned_zone for server in servers if server.pinned_zone is not None})
    for zone in zones:
        there = [server for server in servers if server.pinned_zone == zone]
        pinned = [server.name for server in there]
        yield unmet(
            Code.SERVER_PINNED,
            name_domain(domain),
            f"{count(len(pinned), 'server')} pinned to zone {zone} ({name_some(pinned)}) "
            "may go to no other node of the domain",
            f"one of: a node of zone {zone} in the domain; the servers unpinned (microversion 2.104)",
            hosts=_hosts(there),
        )


def _young(question: Question, domain: str, servers: Sequence[Server]) -> Iterator[Condition]:
    """Name the servers that may not go where there is room, as the hypervisor there is older."""
    by_host: dict[str, list[Server]] = defaultdict(list)
    for server in servers:
        by_host[server.host or ""].append(server)
    for host, there in sorted(by_host.items()):
        version = question.nodes[host].versions.get(HYPERVISOR)
        older = sorted(question.sequence.older[host])
        yield unmet(
            Code.HYPERVISOR_OLDER,
            name_domain(domain),
            f"{name_some([s.name for s in there])} on {host}: its hypervisor is {version}, and a server "
            f"never moves live to an older one, as on {name_some(older)}",
            "one of: one more node in the domain with a hypervisor that is not older; the servers moved "
            f"cold; {host} left out",
            hosts=[host],
        )


def _no_node(question: Question, domain: str, servers: Sequence[Server]) -> Iterator[Condition]:
    """Say which traits no other node has; without any, that there is no other node."""
    wanting: dict[frozenset[str], list[Server]] = defaultdict(list)
    for server in servers:
        lacking = [
            _find_unfit(server, question.nodes[host])
            for host in question.hosts_of[domain]
            if host != server.host and question.nodes[host].eligible_destination
        ]
        wanting[min(lacking, key=len, default=frozenset())].append(server)
    for traits, there in sorted(wanting.items(), key=lambda item: sorted(item[0])):
        names = name_some([f"{s.name} on {s.host}" for s in there])
        if traits:
            words = ", ".join(sorted(traits))
            message = f"{names}: no other node of the domain that takes servers has the traits {words}"
            remedy = f"one of: a node with {words} in the domain; flavors that do not ask for that"
        else:
            message = f"{names}: no other node of the domain takes servers"
            remedy = (
                "one of: one more node in the domain, enabled and up; wider limits of zone and aggregate "
                "(a zone can be unpinned from microversion 2.104 on)"
            )
        yield unmet(Code.NO_DESTINATION, name_domain(domain), message, remedy, hosts=_hosts(there))


def _find_unfit(server: Server, node: Node) -> frozenset[str]:
    """Return what a node's traits lack for a server: what is required, and ``no X`` of what is forbidden."""
    wrong = server.forbidden_traits & node.traits
    return (server.required_traits - node.traits) | {f"no {trait}" for trait in wrong}


def _giants(question: Question, domain: str, servers: Sequence[Server]) -> Iterator[Condition]:
    """Name the servers that would not fit on any other node of the domain, were it empty."""
    book = question.book
    for server in servers:
        others = [h for h in question.hosts_of[domain] if h != server.host]
        need = book.shape(server).need
        if any(
            all(amount <= book.max_unit(host, name) for name, amount in need)
            for host in others
            if question.nodes[host].eligible_destination
        ):
            continue
        wants = ", ".join(f"{amount} {name}" for name, amount in need)
        yield unmet(
            Code.SERVER_TOO_LARGE,
            server.subject,
            f"on {server.host}: it wants {wants}, more than any other node of the domain has, were it empty",
            "one of: a node of that size in the domain; a smaller flavor; the server stopped around the "
            "upgrade of its node (migration none, non-smooth mode)",
        )


def _hosts(servers: Sequence[Server]) -> list[str]:
    return [server.host for server in servers if server.host is not None]


FAMILY = Family(code=Code.GROUP_DEADLOCK, check=check_deadlocks)
