"""Interruptions of services in a report: the gaps that probes measured, by HA group, and their limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from escalator.model.interruption import (
    SWITCH_SECONDS,
    YEAR_SECONDS,
    Gap,
    GroupInterruptions,
    find_breaches,
    name_vnfs,
    sum_gaps,
)
from escalator.model.verdict import Code, Severity, SubjectType
from escalator.reports.facts import CampaignFacts
from escalator.reports.nodes import format_time, round_seconds
from escalator.reports.rows import Row, make_row


def describe_service_gaps(facts: CampaignFacts) -> Row:
    """Describe the interruptions of the services whose VNFs the campaign worked on.

    :return: VNFs by their names, groups by their ids; gaps in the order of their starts, with those that
        could not be measured.
    """
    own, of_year = (name_vnfs(gaps, facts.vnf_of) for gaps in (facts.gaps, facts.year_gaps))
    return {
        "limits": {"switch_seconds": SWITCH_SECONDS, "year_seconds": YEAR_SECONDS},
        "vnfs": list(_describe_sums("vnf", own, of_year)),
        "groups": list(_describe_sums("group", facts.gaps, facts.year_gaps)),
        "gaps": [_describe_gap(gap) for gap in sorted(facts.gaps, key=lambda g: (g.started_at, g.address))],
    }


def find_service_gaps(facts: CampaignFacts) -> Iterable[Row]:
    """Find the groups that were interrupted for too long, and those of which that is not known."""
    for breach in find_breaches(facts.gaps, facts.year_gaps):
        yield _finding(
            Severity.WARNING,
            breach.code,
            breach.group,
            str(breach),
            "find out why before the next node of this VNF goes out",
        )
    for found in sum_gaps(facts.gaps):
        silent = [gap for gap in facts.gaps if gap.group == found.group and gap.never_answered]
        for gap in silent:
            message = f"{gap.address} was asked for {gap.seconds:.1f} s by {gap.method}: {gap.cause}"
            remedy = "see that the address is right and can be reached from the triggerer"
            yield _finding(Severity.WARNING, Code.INTERRUPTION_UNKNOWN, found.group, message, remedy)
        if not silent and found.not_measured_seconds > SWITCH_SECONDS:
            message = (
                f"nothing was measured for {found.not_measured_seconds:.1f} s: the probe itself stood still"
            )
            remedy = "give the triggerer more CPU time"
            yield _finding(Severity.INFO, Code.INTERRUPTION_UNKNOWN, found.group, message, remedy)


def _describe_sums(what: str, gaps: Iterable[Gap], year_gaps: Iterable[Gap]) -> Iterator[Row]:
    """Sum the gaps of the campaign beside those of the year."""
    year = {found.group: found for found in sum_gaps(year_gaps)}
    for found in sum_gaps(gaps):
        yield {what: found.group, **_describe(found, year.get(found.group, found))}


def _describe(found: GroupInterruptions, of_year: GroupInterruptions) -> Row:
    return {
        "gaps": found.count,
        "longest_seconds": round_seconds(found.longest_seconds),
        "sum_seconds": round_seconds(found.sum_seconds),
        "year_sum_seconds": round_seconds(max(found.sum_seconds, of_year.sum_seconds)),
        "not_measured_seconds": round_seconds(found.not_measured_seconds),
    }


def _describe_gap(gap: Gap) -> Row:
    return {
        "group": gap.group,
        "host": gap.host,
        "address": gap.address,
        "method": str(gap.method),
        "started": format_time(gap.started_at),
        "seconds": round_seconds(gap.seconds),
        "measured": gap.measured,
        "cause": gap.cause,
        "allowed_seconds": round_seconds(gap.allowed_seconds),
        "too_long": gap.too_long,
    }


def _finding(severity: Severity, code: Code, group: str, message: str, remedy: str) -> Row:
    return make_row(severity, code, SubjectType.HA_GROUP, group, message=message, remedy=remedy)
