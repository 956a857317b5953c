"""Prepare: stage the bundle on every node before any of them drains. No service is touched.

A second run finds what is staged and does nothing.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from escalator.model.bundle import NoMechanism, VenvMechanism
from escalator.model.errors import EscalatorError
from escalator.steps.running.context import CampaignContext
from escalator.system_support.venv_mechanism import ensure_staged

log = logging.getLogger("escalator.steps.campaign.prepare")

STAGE_WITHIN = timedelta(minutes=30)
NODES_AT_ONCE = 4
"""Nodes that download and install side by side."""


def prepare(campaign: CampaignContext) -> dict[str, str]:
    """Stage on all nodes of the plan that do not run the target yet.

    :return: for every node that could not be staged, why; its own upgrade step tries once more.
    """
    mechanism = campaign.bundle.mechanism
    if isinstance(mechanism, NoMechanism) or campaign.plan.request.dry_run:
        return {}
    versions = campaign.known_versions()
    hosts = [h for h in campaign.plan.hosts if versions.get(h) != campaign.plan.target_version]
    with ThreadPoolExecutor(NODES_AT_ONCE) as pool:
        answers = dict(zip(hosts, pool.map(partial(_stage, campaign, mechanism), hosts), strict=True))
    return {host: fault for host, fault in answers.items() if fault is not None}


def _stage(campaign: CampaignContext, mechanism: VenvMechanism, host: str) -> str | None:
    plan = campaign.plan
    try:
        ensure_staged(
            partial(campaign.connect, host),
            mechanism,
            plan.target_version,
            job_id=f"{plan.lease(host).token}-stage",
            deadline=campaign.clock() + STAGE_WITHIN,
            clock=campaign.clock,
            sleep=campaign.sleep,
        )
    except EscalatorError as exc:
        log.error("%s: %s is not staged: %s", host, plan.target_version, exc)  # noqa: TRY400
        return str(exc)
    log.info("%s: %s is staged", host, plan.target_version)
    return None
