"""The system runs normally: services, Neutron's agents, migrations and servers, of nodes that matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from escalator.model.check_report import Condition
from escalator.model.cloud import NetworkAgent, Server, ServiceStatus
from escalator.model.verdict import Code, Severity, Subject, SubjectType
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import (
    Family,
    Question,
    count,
    name_domain,
    unmet,
)
from escalator.upgrade_manager.drain.prechecks import describe_remedy, find_ongoing
from escalator.upgrade_manager.state.agents import (
    AgentsByHost,
    find_dead,
    find_stale,
)
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
    """Judge the agents of each node; where Neutron lists some, a node without any is no node that answers."""
    agents = question.snapshot.agents
    by_host = AgentsByHost(agents, question.nodes.values())
    unheard, other = [], {}
    for host in question.hosts_of[domain] if agents else ():
        node = question.nodes[host]
        mine = by_host.find(node)
        if mine:
            yield from _agents_of(host, mine, pending=host in question.pending)
        elif lookalikes := by_host.find_lookalikes(node):
            other[host] = lookalikes[0]
        else:
            unheard.append(host)
    if other:
        yield _called_otherwise(domain, other)
    if unheard:
        yield unmet(
            Code.AGENT_UNMATCHED,
            name_domain(domain),
            f"Neutron lists {count(len(agents), 'agent')}, none of them on {name_some(unheard)}: whether the "
            "network works there is not known",
            "see `openstack network agent list`: start the agent there; nothing, where ports need none",
            Severity.WARNING,
        )


def _agents_of(host: str, agents: tuple[NetworkAgent, ...], *, pending: bool) -> Iterator[Condition]:
    """Judge the agents of one node."""
    subject = Subject.of_node(host)
    dead, stale = find_dead(agents), find_stale(agents)
    for agent in sorted(agents, key=lambda a: (a.binary, a.id)):
        if agent in stale:
            yield unmet(
                Code.AGENT_STALE,
                subject,
                f"a record of its {agent.binary} ({agent.id}) is left over: nothing reports under it, and "
                "another one reports",
                f"delete it: openstack network agent delete {agent.id}",
                Severity.WARNING,
            )
        elif agent in dead:
            yield unmet(
                Code.AGENT_DOWN,
                subject,
                f"its {agent.binary} does not report",
                "start it again, or leave the node out",
                Severity.BLOCKER if pending else Severity.WARNING,
            )
        elif not agent.admin_state_up:
            yield unmet(
                Code.AGENT_DOWN,
                subject,
                f"its {agent.binary} is switched off",
                "switch it on again",
                Severity.WARNING,
            )


def _called_otherwise(domain: str, agents: Mapping[str, NetworkAgent]) -> Condition:
    """Name nodes whose agents report under another name; host -> one of them."""
    named = [f"{agent.binary} as {agent.host}, nova-compute as {host}" for host, agent in agents.items()]
    return unmet(
        Code.AGENT_UNMATCHED,
        name_domain(domain),
        f"the network agents of {count(len(named), 'node')} report under another name than nova-compute: "
        f"{'; '.join(named[:_NAMED])}{'; …' if len(named) > _NAMED else ''}",
        "configure the same host name for both: a port works only where they agree",
        Severity.WARNING,
    )


_NAMED = 3
"""Nodes that are named of those whose agents have another name."""
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
    hosts = question.hosts_of[domain]
    rest = (
        "" if set(hosts) <= set(question.pending) else ", no server is in ERROR on nodes that are not emptied"
    )
    return f"nova-compute{agents} of {count(len(hosts), 'node')} answer, no migration goes on{rest}"


FAMILY = Family(code=Code.SYSTEM_NORMAL, check=check_system, says=_says)
