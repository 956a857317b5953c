"""Check Smooth Upgrade Conditions: everything that is in the way of an upgrade, before it begins.

A blocker about a node keeps that node out; with any blocker the upgrade does not begin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from escalator.model.bundle import Bundle
from escalator.model.campaign import CampaignPlan, CampaignRequest, UpgradeMode
from escalator.model.check_report import CheckReport, Condition, SpareProposal
from escalator.model.cloud import CloudSnapshot
from escalator.model.durations import DEFAULT_DURATIONS, History
from escalator.model.unread import CloudPart
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions import (
    bundles,
    control_plane,
    deadlocks,
    drift,
    leases,
    moves,
    redundancy,
    releases,
    rollback,
    servers,
    system,
    targets,
    timing,
    vnfs,
)
from escalator.upgrade_manager.conditions.question import (
    Family,
    Question,
    check_families,
    count,
    name_domain,
    unmet,
)
from escalator.upgrade_manager.conditions.unread import (
    OF_PLACES,
    check_unread,
    find_unread,
    is_incomplete,
)
from escalator.upgrade_manager.drain.durations import learn
from escalator.upgrade_manager.feasibility.spare import propose_spare

CLOUD_FAMILIES: tuple[Family, ...] = (
    targets.PRESENCE,
    servers.HOSTS,
    bundles.FAMILY,
    control_plane.FAMILY,
    releases.FAMILY,
    timing.FAMILY,
)
"""What is looked at once."""
DOMAIN_FAMILIES: tuple[Family, ...] = (
    targets.HOLDERS,
    leases.FAMILY,
    targets.REACH,
    drift.FAMILY,
    system.FAMILY,
    servers.FAMILY,
    moves.FAMILY,
    redundancy.CAPACITY,
    deadlocks.FAMILY,
    redundancy.PARALLEL,
    vnfs.FAMILY,
    rollback.FORECAST,
)
"""What is looked at in every domain that has targets."""
NEEDS: Mapping[Family, frozenset[CloudPart]] = {
    targets.PRESENCE: frozenset(),
    bundles.FAMILY: frozenset(),
    control_plane.FAMILY: frozenset(),
    releases.FAMILY: frozenset(),
    servers.HOSTS: frozenset({CloudPart.SERVERS}),
    targets.REACH: frozenset({CloudPart.AGGREGATES}),
    drift.FAMILY: frozenset({CloudPart.AGGREGATES}),
    targets.HOLDERS: frozenset({CloudPart.SERVICES, CloudPart.AGGREGATES}),
    leases.FAMILY: frozenset({CloudPart.SERVICES, CloudPart.AGGREGATES}),
    system.FAMILY: frozenset(
        {CloudPart.SERVICES, CloudPart.AGGREGATES, CloudPart.SERVERS, CloudPart.MIGRATIONS}
    ),
    servers.FAMILY: frozenset({CloudPart.SERVERS, CloudPart.AGGREGATES}),
}
"""The lists that a family judges by; of families that are not named here all that places need."""


def check_upgrade(question: Question) -> CheckReport:
    """Find everything that speaks for and against an upgrade; what is not met says what can be done."""
    unread = find_unread(question)
    cloud, domain = _judgeable(CLOUD_FAMILIES, unread), _judgeable(DOMAIN_FAMILIES, unread)
    conditions = (*check_unread(question), *check_families(question, cloud=cloud, domain=domain))
    if is_incomplete(question):
        return CheckReport(conditions=conditions)
    spares = tuple(_spares(question))
    return CheckReport(
        conditions=(*conditions, *map(_spare_condition, spares)),
        spare=spares[0] if spares else None,
        expected=timing.estimate_seconds(question),
    )


def _judgeable(families: Sequence[Family], unread: frozenset[CloudPart]) -> tuple[Family, ...]:
    """Return the families whose lists were read: of the others nothing is known, so nothing is said."""
    return tuple(family for family in families if NEEDS.get(family, OF_PLACES).isdisjoint(unread))


def _spares(question: Question) -> Iterator[SpareProposal]:
    """Propose spare nodes for every domain whose targets have no places, and would not get them back."""
    for domain in question.domains:
        hosts = question.pending_in(domain)
        if question.passing(domain) or question.sequence.stuck.keys().isdisjoint(hosts):
            continue
        spare = propose_spare(
            question.snapshot,
            domain,
            hosts,
            members_stay=question.plan.members_stay,
            brings=question.brings,
        )
        if spare is not None:
            yield spare


def _spare_condition(spare: SpareProposal) -> Condition:
    amounts = ", ".join(f"{item.capacity} {name}" for name, item in sorted(spare.inventory.items()))
    return unmet(
        Code.SPARE_NODES,
        name_domain(spare.domain),
        f"it lacks {count(spare.nodes, 'node')}: no smaller number of that shape would do",
        f"add {count(spare.nodes, 'node')} with {amounts} each, or " + "; or ".join(spare.alternatives),
        Severity.INFO,
    )


def plan_of_check(
    snapshot: CloudSnapshot,
    hosts: Sequence[str],
    *,
    bundle: Bundle | None = None,
    max_parallel: int = 1,
    mode: UpgradeMode = UpgradeMode.SMOOTH,
) -> CampaignPlan:
    """Make the plan that a check outside a campaign is about: these hosts, of whatever domains."""
    request = CampaignRequest(
        cloud=snapshot.cloud,
        domain="",
        bundle=bundle.name if bundle else "",
        hosts=tuple(hosts),
        max_parallel=max_parallel,
        mode=mode,
    )
    return CampaignPlan(
        campaign="check",
        run_id="check",
        request=request,
        hosts=tuple(hosts),
        target_version=(bundle.target_version() if bundle else None) or "",
        members_stay=bundle is None or bundle.members_stay,
        expected=learn(History(), bundle) if bundle else DEFAULT_DURATIONS,
    )
