"""The system runs normally: services, Neutron's agents, migrations and servers, of nodes that matter."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from escalator.model.check_report import Condition
from escalator.model.cloud import Server, ServiceStatus
from escalator.model.verdict import Code, Severity, Subject, SubjectType
from escalator.upgrade_manager.conditions.question import (
    Family,
    Question,
    count,
    unmet,
)
from escalator.upgrade_manager.drain.prechecks import describe_remedy, find_ongoing
from escalator.upgrade_manager.state.eligibility import describe_outage, is_up


def check_system(question: Question, domain: str) -> Iterator[Condition]:
    """Find what does not run as it should on the nodes of a domain."""
    return chain(
        _services(question, domain),
        _agents(question, domain),
        _migrations(question, domain),
        _servers(question, domain),
    )


def _services(question: Question, domain: str) -> Iterator[Condition]:
    for host in question.hosts_of[domain]:
        node = question.nodes[host]
        if is_up(node):
            continue
        target = host in question.plan.hosts and (
            node.status is ServiceStatus.ENABLED or question.plan.owns(node)
        )
        yield unmet(
            Code.SERVICE_DOWN,
            Subject.of_node(host),
            f"its nova-compute {describe_outage(node)}" + ("" if target else ": it takes no servers"),
            "bring nova-compute up again" + (", or leave the node out" if target else ""),
            Severity.BLOCKER if target else Severity.WARNING,
        )


def _agents(question: Question, domain: str) -> Iterator[Condition]:
    hosts = frozenset(question.hosts_of[domain])
    for agent in sorted(question.snapshot.agents, key=lambda a: (a.host, a.binary)):
        if agent.host not in hosts or (agent.alive and agent.admin_state_up):
            continue
        how = "does not report" if not agent.alive else "is switched off"
        yield unmet(
            Code.AGENT_DOWN,
            Subject.of_node(agent.host),
            f"its {agent.binary} {how}",
            "start it again, or leave the node out" if not agent.alive else "switch it on again",
            Severity.BLOCKER if not agent.alive and agent.host in question.pending else Severity.WARNING,
        )


_STALE_REMEDY = (
    "nothing: its record does not hold a node up; nova-manage placement audit finds what it may still hold"
)


def _migrations(question: Question, domain: str) -> Iterator[Condition]:
    hosts = frozenset(question.hosts_of[domain])
    touching = [
        m
        for m in question.snapshot.migrations
        if m.status.unfinished and not hosts.isdisjoint({m.source_host, m.dest_host})
    ]
    servers = (s for host in hosts for s in question.book.servers(host))
    alive = {m.id for m in find_ongoing(touching, servers, question.snapshot.taken_at)}
    for migration in sorted(touching, key=lambda m: m.id):
        where = f"from {migration.source_host} to {migration.dest_host or 'a node not chosen yet'}"
        stuck = "" if migration.id in alive else ", though nothing goes on any more"
        yield unmet(
            Code.MIGRATION_UNFINISHED,
            Subject(type=SubjectType.MIGRATION, id=migration.uuid),
            f"the {migration.type} of server {migration.server_id} {where} is {migration.status}{stuck}",
            _STALE_REMEDY if stuck else describe_remedy((migration,)),
            Severity.WARNING,
        )


def _servers(question: Question, domain: str) -> Iterator[Condition]:
    """Warn of broken servers on nodes that are not emptied; the others are looked at one by one."""
    pending = frozenset(question.pending)
    broken = (
        server
        for host in question.hosts_of[domain]
        if host not in pending
        for server in question.book.servers(host)
        if server.vm_state == "error"
    )
    for server in sorted(broken, key=_by_name):
        yield unmet(
            Code.SERVER_ERROR,
            server.subject,
            f"it is in ERROR on {server.host}",
            "find out why, then reset its state (openstack server set --state active) or delete it",
            Severity.WARNING,
        )


def _by_name(server: Server) -> tuple[str, str]:
    return (server.name, server.id)


def _says(question: Question, domain: str) -> str:
    agents = "" if not question.snapshot.agents else " and the network agents"
    nodes = count(len(question.hosts_of[domain]), "node")
    return f"nova-compute{agents} of {nodes} answer, no migration goes on, no server is in ERROR"


FAMILY = Family(code=Code.SYSTEM_NORMAL, check=check_system, says=_says)
