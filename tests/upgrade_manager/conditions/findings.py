"""What a check of an upgrade finds, for the tests of every kind of condition."""

from __future__ import annotations

from collections.abc import Mapping

from tests.builders import make_plan

from escalator.model.campaign import CampaignPlan
from escalator.model.cloud import CloudSnapshot
from escalator.model.verdict import Code, Severity, Verdict
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.upgrade import check_upgrade

PLAN = make_plan("a", "b")


def find_unmet(
    snapshot: CloudSnapshot, plan: CampaignPlan = PLAN, reachable: Mapping[str, str | None] | None = None
) -> tuple[Verdict, ...]:
    """Return what is not met, but for what no snapshot can tell."""
    report = check_upgrade(ask(plan, snapshot, reachable=reachable or {}))
    return tuple(c.verdict for c in report.conditions if not c.met and c.code is not Code.NOT_CHECKED)


def brief(verdicts: tuple[Verdict, ...]) -> list[tuple[str, Code, Severity]]:
    return [(v.subject.id, v.code, v.severity) for v in verdicts]
