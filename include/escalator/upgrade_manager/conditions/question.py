"""What a check is asked: the cloud, the targets, the limits and the facts that others found out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from escalator.model.bundle import Bundle
from escalator.model.campaign import CampaignPlan
from escalator.model.check_report import Condition
from escalator.model.cloud import CloudSnapshot, Node, Server
from escalator.model.verdict import Code, Severity, Subject, SubjectType, Verdict
from escalator.upgrade_manager.drain.stops import mark_unmovable
from escalator.upgrade_manager.feasibility.alternatives import Trial
from escalator.upgrade_manager.feasibility.scale_in import find_scale_in
from escalator.upgrade_manager.feasibility.sequence import DrainSequence, drain_in_turn
from escalator.upgrade_manager.feasibility.spare import cut_to_domain
from escalator.upgrade_manager.state.capacity import CapacityBook
from escalator.upgrade_manager.state.eligibility import find_bar, is_up
from escalator.upgrade_manager.state.hypervisors import find_brought_version
from escalator.upgrade_manager.versions.release_version import ReleaseVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May the nodes of a plan be upgraded? Made by :func:`ask`, which reads the snapshot once.

    :ivar plan: what is asked for; its own leases do not count as others'.
    :ivar reachable: host -> None when it was reached over SSH, else what went wrong; None: nobody tried.
    :ivar lacking: host -> what the mechanism lacks there, or why the bundle cannot be staged.
    :ivar hosts_of: domain -> its hosts, sorted.
    :ivar pending: those of the plan's hosts that are still to be emptied, and may be.
    :ivar domains: domains of the plan's hosts, sorted.
    :ivar brings: the hypervisor that a node has afterwards; None: the one it has.
    :ivar sequence: how far it goes when they are emptied one after the other.
    :ivar scalable: ids of the servers whose managers can be asked to scale in.
    :ivar manager_of: server id -> id of the manager that is told of it; None: nobody knows the managers.
    :ivar interrupted: HA group -> its longest interruption that is on record (s).
    :ivar scale_in: domain that lacks room -> the fewest of those that would have to go; of domains that
        nobody can help so there is nothing.
    """

    plan: CampaignPlan
    snapshot: CloudSnapshot
    bundle: Bundle | None
    reachable: Mapping[str, str | None] | None
    lacking: Mapping[str, Sequence[Verdict]]
    book: CapacityBook
    nodes: Mapping[str, Node]
    hosts_of: Mapping[str, tuple[str, ...]]
    pending: tuple[str, ...]
    domains: tuple[str, ...]
    brings: ReleaseVersion | None
    sequence: DrainSequence
    scalable: frozenset[str] = frozenset()
    manager_of: Mapping[str, str] | None = None
    interrupted: Mapping[str, float] = field(default_factory=dict)
    scale_in: Mapping[str, tuple[Server, ...]] = field(default_factory=dict)

    def targets_in(self, domain: str) -> tuple[str, ...]:
        """Return the targets of a domain that the cloud has."""
        return tuple(h for h in self.plan.hosts if h in self.nodes and self.nodes[h].domain == domain)

    def pending_in(self, domain: str) -> tuple[str, ...]:
        """Return the targets of a domain that are still to be emptied, and may be."""
        return tuple(h for h in self.pending if self.nodes[h].domain == domain)

    def passing(self, domain: str) -> bool:
        """Tell whether a campaign has nodes of a domain out that will come back."""
        return any(self.nodes[host].counting_lease is not None for host in self.hosts_of[domain])


def ask(
    plan: CampaignPlan,
    snapshot: CloudSnapshot,
    *,
    bundle: Bundle | None = None,
    reachable: Mapping[str, str | None] | None = None,
    lacking: Mapping[str, Sequence[Verdict]] = MappingProxyType({}),
    brings: ReleaseVersion | None = None,
    scalable: frozenset[str] = frozenset(),
    manager_of: Mapping[str, str] | None = None,
    interrupted: Mapping[str, float] = MappingProxyType({}),
) -> Question:
    """Put a question, as :class:`Question` describes it.

    :param brings: the hypervisor that a node has afterwards; None: what the bundle brings.
    :param scalable: ids of the servers whose managers can be asked to scale in.
    :param manager_of: server id -> id of the manager that is told of it; None: nobody knows the managers.
    :param interrupted: HA group -> its longest interruption that is on record (s).
    """
    brings = brings or find_brought_version(bundle)
    snapshot = mark_unmovable(snapshot, plan.request.mode)
    nodes = {node.host: node for node in snapshot.nodes}
    hosts_of: dict[str, list[str]] = {}
    for node in sorted(snapshot.nodes, key=lambda n: n.host):
        hosts_of.setdefault(node.domain, []).append(node.host)
    pending = tuple(h for h in plan.hosts if h in nodes and _pending(nodes[h], plan))
    question = Question(
        plan=plan,
        snapshot=snapshot,
        bundle=bundle,
        reachable=reachable,
        lacking=lacking,
        book=CapacityBook(snapshot, members_stay=plan.members_stay, pending=pending, in_flight=False),
        nodes=nodes,
        hosts_of={domain: tuple(there) for domain, there in hosts_of.items()},
        pending=pending,
        domains=tuple(sorted({nodes[h].domain for h in plan.hosts if h in nodes})),
        brings=brings,
        sequence=drain_in_turn(snapshot, pending, members_stay=plan.members_stay, brings=brings),
        scalable=scalable,
        manager_of=manager_of,
        interrupted=interrupted,
    )
    return replace(question, scale_in=_find_scale_in(question)) if scalable else question


def _find_scale_in(question: Question) -> dict[str, tuple[Server, ...]]:
    """Find who would have to go in each domain that lacks room for good, and where that would help."""
    found = {}
    for domain in question.domains:
        hosts = question.pending_in(domain)
        stuck = {host: why for host, why in question.sequence.stuck.items() if host in hosts}
        if not stuck or question.passing(domain):
            continue
        trial = Trial(hosts=hosts, members_stay=question.plan.members_stay, brings=question.brings)
        sequence = replace(question.sequence, stuck=stuck)
        part = cut_to_domain(question.snapshot, domain)
        servers = find_scale_in(trial, part, sequence, question.scalable)
        if servers:
            found[domain] = servers
    return found


def _pending(node: Node, plan: CampaignPlan) -> bool:
    """Tell whether a node is still to be emptied, and may be."""
    return is_up(node) and find_bar(node.host, node, ours=plan.may_mend(node)) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Conditions of one kind: how they are looked for, and what is said when all of them are met.

    :ivar check: gives the conditions of a domain; of a family of the whole cloud, once with an empty domain.
    :ivar says: what was looked at, of that domain; empty when there is nothing to say.
    """

    code: Code
    check: Callable[[Question, str], Iterator[Condition]]
    says: Callable[[Question, str], str] = lambda _question, _domain: ""


def check_families(
    question: Question, *, cloud: Sequence[Family], domain: Sequence[Family]
) -> Iterator[Condition]:
    """Give the conditions of some families: those of the cloud once, the others for each target's domain."""
    subject = Subject.of_cloud(question.snapshot.cloud)
    for family in cloud:
        yield from _of_family(question, family, "", subject)
    for name in question.domains:
        for family in domain:
            yield from _of_family(question, family, name, name_domain(name))


def _of_family(question: Question, family: Family, domain: str, subject: Subject) -> Iterator[Condition]:
    """Give a family's findings and, when nothing worse than a note is among them, say what is met."""
    good = True
    for condition in family.check(question, domain):
        good = good and (condition.met or condition.severity is Severity.INFO)
        yield condition
    if good and (words := family.says(question, domain)):
        yield met(family.code, subject, words)


def met(code: Code, subject: Subject, message: str) -> Condition:
    """Make a condition that is met."""
    return Condition(code=code, met=True, severity=Severity.INFO, subject=subject, message=message)


def unmet(
    code: Code,
    subject: Subject,
    message: str,
    remedy: str,
    severity: Severity = Severity.BLOCKER,
    *,
    hosts: Iterable[str] = (),
) -> Condition:
    """Make a condition that is not met.

    :param hosts: the nodes that it belongs to, where its subject does not say.
    """
    return Condition(
        code=code,
        met=False,
        severity=severity,
        subject=subject,
        message=message,
        remedy=remedy,
        hosts=tuple(sorted(set(hosts))),
    )


def name_domain(domain: str) -> Subject:
    """Name a drain domain."""
    return Subject(type=SubjectType.DOMAIN, id=domain)


def count(number: int, word: str) -> str:
    """Write a number with its word: ``1 node``, ``2 nodes``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
