"""Check Smooth Upgrade Conditions: everything that is in the way of an upgrade, before it begins.

A blocker about a node keeps that node out; with any blocker the upgrade does not begin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from escalator.model.campaign import CampaignPlan
from escalator.model.check import CheckReport, Condition
from escalator.model.cloud import CloudSnapshot
from escalator.model.verdict import Subject, SubjectType, Verdict
from escalator.upgrade_manager.conditions import redundancy, servers, system, targets
from escalator.upgrade_manager.conditions.question import Family, Question, ask, met

CLOUD_FAMILIES: tuple[Family, ...] = (targets.PRESENCE,)
"""What is looked at once."""
DOMAIN_FAMILIES: tuple[Family, ...] = (
    targets.HOLDERS,
    targets.REACH,
    system.FAMILY,
    servers.FAMILY,
    redundancy.CAPACITY,
    redundancy.PARALLEL,
)
"""What is looked at in every domain that has targets."""


def check_upgrade(question: Question) -> CheckReport:
    """Find everything that speaks for and against an upgrade; what is not met says what can be done."""
    return CheckReport(conditions=tuple(_conditions(question)))


def check_conditions(
    plan: CampaignPlan, snapshot: CloudSnapshot, *, reachable: Mapping[str, str | None]
) -> tuple[Verdict, ...]:
    """Find everything that speaks against a campaign.

    :param reachable: host -> None when it was reached over SSH, else what went wrong; hosts that were not
        tried are left out.
    """
    question = ask(
        snapshot,
        plan.hosts,
        max_parallel=plan.request.max_parallel,
        mode=plan.request.mode,
        members_stay=plan.members_stay,
        plan=plan,
        reachable=reachable,
        durations=plan.expected,
    )
    return tuple(condition.verdict for condition in check_upgrade(question).conditions if not condition.met)


def _conditions(question: Question) -> Iterator[Condition]:
    cloud = Subject(type=SubjectType.CLOUD, id=question.snapshot.cloud)
    for family in CLOUD_FAMILIES:
        yield from _of_family(question, family, "", cloud)
    for domain in question.domains:
        subject = Subject(type=SubjectType.DOMAIN, id=domain)
        for family in DOMAIN_FAMILIES:
            yield from _of_family(question, family, domain, subject)


def _of_family(question: Question, family: Family, domain: str, subject: Subject) -> Iterator[Condition]:
    """Give a family's findings and, when all that it looked at is met, say so."""
    good = True
    for condition in family.check(question, domain):
        good = good and condition.met
        yield condition
    if good and (words := family.says(question, domain)):
        yield met(family.code, subject, words)
