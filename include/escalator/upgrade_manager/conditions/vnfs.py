"""Redundancy of the VNFs: every HA group can do without the members on any one target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from escalator.model.check_report import Condition
from escalator.model.cloud import HaGroup, Server
from escalator.model.verdict import Code, Severity, Subject, SubjectType
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import Family, Question, count, met, unmet
from escalator.upgrade_manager.state.lead_times import find_lead_times
from escalator.upgrade_manager.state.memberships import SWITCHABLE, find_interruption_limits

ALL_MODES = SWITCHABLE | {"none"}


def check_vnfs(question: Question, domain: str) -> Iterator[Condition]:
    """Find HA groups of which the upgrade of a target would impact too many members."""
    servers = {server.id: server for server in question.snapshot.servers} if _grouped(question) else {}
    for group in _groups(question, domain, servers, modes=ALL_MODES):
        if group.mode not in SWITCHABLE and not group.has_limits:
            continue
        findings = tuple(_group(question, group, servers))
        yield from findings
        if group.lead_seconds > 0:
            yield met(
                Code.HA_NOTICE,
                _subject(group),
                f"it is given {group.lead_seconds:g} s of notice before the first of its nodes goes out",
            )
    yield from _own_leads(question, domain)
    yield from _interruptions(question, domain, servers)


def _interruptions(question: Question, domain: str, servers: Mapping[str, Server]) -> Iterator[Condition]:
    """Warn of groups whose service was interrupted before for longer than they say they bear."""
    limits = find_interruption_limits(question.book.memberships) if question.interrupted else {}
    for group in _groups(question, domain, servers, modes=ALL_MODES) if limits else ():
        seconds, limit = question.interrupted.get(group.id, 0.0), limits.get(group.id)
        if limit is not None and seconds > limit:
            yield unmet(
                Code.INTERRUPTION_SWITCH,
                _subject(group),
                f"its service was away for {seconds:.1f} s at once within a year, and it bears {limit:g} s",
                "find out why first; let its manager, or `switchover:` of its VNF file, move the service",
                Severity.WARNING,
            )


def _own_leads(question: Question, domain: str) -> Iterator[Condition]:
    """Say which servers are given a lead time of their own."""
    for host in question.pending_in(domain) if question.book.memberships.own_leads else ():
        servers = question.book.servers(host)
        leads = find_lead_times(question.book.memberships, servers)
        for server in servers:
            lead = leads.get(server.id)
            if lead is not None and not lead.of_group:
                yield met(
                    Code.HA_NOTICE,
                    server.subject,
                    f"it is given {lead.seconds:g} s of notice before {host} goes out; "
                    "a manager that agrees ends them",
                )


def _groups(
    question: Question, domain: str, servers: Mapping[str, Server], modes: Collection[str] = SWITCHABLE
) -> list[HaGroup]:
    """Return the groups whose first target, by the order of domains, is in this one."""
    pending = frozenset(question.pending)
    found = []
    for group in question.book.memberships.ha_groups.values():
        hosts = {servers[m].host for m in group.members if m in servers} & pending
        domains = {question.nodes[host].domain for host in hosts if host is not None}
        if group.mode in modes and domains and min(domains) == domain:
            found.append(group)
    return sorted(found, key=lambda group: group.id)


def _group(question: Question, group: HaGroup, servers: Mapping[str, Server]) -> Iterator[Condition]:
    missing = [m for m in group.members if m not in servers]
    if missing:
        yield unmet(
            Code.HA_MEMBER_MISSING,
            _subject(group),
            f"the cloud has no server {name_some(missing)} that it names as members",
            "correct the group, or bring the members back; till then they count as impacted",
            Severity.WARNING,
        )
    if len(group.members) == 1 and group.mode in SWITCHABLE:
        yield unmet(
            Code.HA_NO_REDUNDANCY,
            _subject(group),
            f"it has one member only, {group.members[0]}: nothing stands in for it",
            "give it another member; till then its server is moved like any other",
            Severity.WARNING,
        )
    if group.tolerated == 0:
        hosts = {servers[m].host for m in group.members if m in servers}
        yield _never(group, [host for host in question.pending if host in hosts])
        return
    together = list(_together(question, group, servers))
    yield from together
    if not together:
        yield from _impacted(question, group, servers)


def _never(group: HaGroup, hosts: Sequence[str]) -> Condition:
    """Say that no member may ever be impacted, and what would allow one at a time.

    :param hosts: nodes to upgrade with a member on them.
    """
    size = len(group.members)
    if group.max_impacted == 0:
        why, remedy = "max_impacted is 0", "set max_impacted to 1 for the time of the upgrade"
    else:
        lacking = (group.min_preserved or 0) - size + 1
        why = f"it has {count(size, 'member')} and min_preserved is {group.min_preserved}"
        relaxed = f"set min_preserved to {max(0, size - 1)} for the time of the upgrade"
        remedy = f"scale it out by {lacking}, or {relaxed}"
    return unmet(
        Code.HA_NEVER,
        _subject(group),
        f"none of its members may be impacted ever: {why}",
        f"{remedy}; or leave the nodes of its members out",
        hosts=hosts,
    )


def _together(question: Question, group: HaGroup, servers: Mapping[str, Server]) -> Iterator[Condition]:
    """Find targets with more members than may be impacted at once."""
    on: dict[str, list[str]] = defaultdict(list)
    for member in group.members:
        host = servers[member].host if member in servers else None
        if host is not None:
            on[host].append(servers[member].name)
    for host, names in sorted(on.items()):
        surplus = len(names) - group.tolerated
        if surplus <= 0 or host not in question.pending:
            continue
        yield unmet(
            Code.HA_TOGETHER,
            _subject(group),
            f"{len(names)} of its {len(group.members)} members ({name_some(sorted(names))}) are on {host}, "
            f"and {group.tolerated} may be impacted at once",
            f"move {count(surplus, 'member')} of it to another node, best with a soft-anti-affinity group; "
            f"or leave {host} out",
            hosts=[host],
        )


def _impacted(question: Question, group: HaGroup, servers: Mapping[str, Server]) -> Iterator[Condition]:
    """Find a group with so many members impacted already that one more node is one too many."""
    reasons = {m: why for m in group.members if (why := _why_impacted(question, servers.get(m)))}
    on: dict[str, list[str]] = defaultdict(list)
    for member in group.members:
        host = servers[member].host if member in servers else None
        if host in question.pending and host is not None:
            on[host].append(member)
    crowded = [host for host, here in sorted(on.items()) if len({*here, *reasons}) > group.tolerated and here]
    if reasons and crowded:
        words = [f"{servers[m].name if m in servers else m} {why}" for m, why in sorted(reasons.items())]
        lasting = any("campaign" not in why for why in reasons.values())
        yield unmet(
            Code.HA_GROUP,
            _subject(group),
            f"{name_some(words)}, and {group.tolerated} of its {len(group.members)} members may be impacted "
            f"at once: {name_some(crowded)} cannot go out",
            "bring those members back, or leave the nodes of the others out",
            Severity.BLOCKER if lasting else Severity.WARNING,
            hosts=crowded,
        )
    elif reasons:
        words = [f"{servers[m].name if m in servers else m} {why}" for m, why in sorted(reasons.items())]
        yield unmet(
            Code.HA_GROUP,
            _subject(group),
            f"{name_some(words)}; it tolerates that, but less than usual is left",
            "bring those members back",
            Severity.WARNING,
        )


def _why_impacted(question: Question, server: Server | None) -> str:
    """Say why a member does not serve now; empty when it does."""
    if server is None or server.host is None or server.host not in question.nodes:
        return "is on no node"
    if server.vm_state != "active" or server.power_state != "running":
        return f"is {server.vm_state}, {server.power_state}"
    node = question.nodes[server.host]
    if node.eligible_destination:
        return ""
    if node.counting_lease is not None:
        return f"is on {node.host}, which a campaign has out"
    return f"is on {node.host}, which is down or disabled"


def _grouped(question: Question) -> bool:
    return bool(question.book.memberships.ha_groups)


def _subject(group: HaGroup) -> Subject:
    return Subject(type=SubjectType.HA_GROUP, id=group.id)


def _says(question: Question, domain: str) -> str:
    if not _grouped(question):
        return "no HA group is known" if question.pending_in(domain) else ""
    servers = {server.id: server for server in question.snapshot.servers}
    groups = _groups(question, domain, servers)
    return f"{count(len(groups), 'HA group')} can do without the members on any one target" if groups else ""


FAMILY = Family(code=Code.VNF_REDUNDANCY, check=check_vnfs, says=_says)
