"""Prepare: stage the bundle on every node before any of them drains. No service is touched.

A second run finds what is staged and does nothing.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from escalator.model.errors import EscalatorError
from escalator.steps.running.context import CampaignContext

log = logging.getLogger("escalator.steps.campaign.prepare")

STAGE_WITHIN = timedelta(minutes=30)
NODES_AT_ONCE = 4
"""Nodes that download and install side by side."""


def prepare(campaign: CampaignContext) -> dict[str, str]:
    """Stage on all nodes of the plan that do not run the target yet.

    :return: for every node that could not be staged, why; its precheck tries once more, before its drain.
    """
    if not campaign.mechanism.brings_software or campaign.plan.request.dry_run:
        return {}
    versions = campaign.known_versions()
    hosts = [h for h in campaign.plan.hosts if versions.get(h) != campaign.plan.target_version]
    with ThreadPoolExecutor(NODES_AT_ONCE) as pool:
        answers = dict(zip(hosts, pool.map(partial(_stage, campaign), hosts), strict=True))
    return {host: fault for host, fault in answers.items() if fault is not None}


def _stage(campaign: CampaignContext, host: str) -> str | None:
    version = campaign.plan.target_version
    try:
        campaign.mechanism.stage(campaign.node_job(host, "stage", within=STAGE_WITHIN))
    except EscalatorError as exc:
        log.error("%s: %s is not staged: %s", host, version, exc)  # noqa: TRY400
        return str(exc)
    log.info("%s: %s is staged", host, version)
    return None
