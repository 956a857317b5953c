"""Prepare: stage the bundle ahead of the nodes' turns, beside their servers. No service is touched.

What the first nodes need is staged before any of them goes; the others are staged while these are worked on,
in the order in which they go, so that staging takes nothing of a maintenance window. A node whose turn comes
earlier joins its own staging in its precheck. A second run finds what is staged and does nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial

from escalator.model.campaign import NodeState
from escalator.model.errors import EscalatorError
from escalator.steps.running.context import CampaignContext

log = logging.getLogger("escalator.steps.campaign.prepare")

STAGE_WITHIN = timedelta(minutes=30)
NODES_AT_ONCE = 4
"""Nodes that download and install side by side."""
_StageOn = Callable[[CampaignContext, str], str | None]
"""Stages on one node; returns why it could not."""


def prepare(campaign: CampaignContext) -> dict[str, str]:
    """Stage on the nodes of the plan that go first, as many as are staged side by side or may be out at once.

    :return: for every node that could not be staged, why; its precheck tries once more, before its drain.
    """
    return _stage_all(campaign, _find_hosts(campaign)[: _count_first(campaign)], _stage)


def prepare_others(campaign: CampaignContext) -> dict[str, str]:
    """Stage on the nodes after the first ones, while these are worked on.

    A node whose turn has come, or whose way has ended, is left to its own steps, also when it is staged at
    that moment: they join what goes on there. After the window's end none is begun or waited for.

    :return: as :func:`prepare` does.
    """
    return _stage_all(campaign, _find_hosts(campaign)[_count_first(campaign) :], _stage_beside)


def _count_first(campaign: CampaignContext) -> int:
    return max(NODES_AT_ONCE, campaign.plan.request.max_parallel)


def _find_hosts(campaign: CampaignContext) -> list[str]:
    """Return the nodes of the plan to stage on, in order: those that did not run the target at the start.

    With several components any of them may lack one: what it lacks now is asked when it is staged.
    """
    if not campaign.mechanism.brings_software or campaign.plan.request.dry_run:
        return []
    versions = campaign.run.versions_before()
    target, is_single = campaign.plan.target_version, len(campaign.bundle.components) == 1
    return [h for h in campaign.plan.hosts if versions.get(h) != target or not is_single]


def _stage_all(campaign: CampaignContext, hosts: list[str], stage: _StageOn) -> dict[str, str]:
    """Stage on those that do not run the target yet, a few at a time."""
    versions, behind = campaign.known_versions(), campaign.find_behind()
    hosts = [h for h in hosts if versions.get(h) != campaign.plan.target_version or h in behind]
    with ThreadPoolExecutor(NODES_AT_ONCE) as pool:
        answers = dict(zip(hosts, pool.map(partial(stage, campaign), hosts), strict=True))
    return {host: fault for host, fault in answers.items() if fault is not None}


class _LeftToItsStepsError(EscalatorError):
    """A node's turn has come, or its way has ended."""


def _stage_beside(campaign: CampaignContext, host: str) -> str | None:
    """Stage on a node for as long as it waits for its turn; what goes on there then is not ended."""

    def sleep(seconds: float) -> None:
        campaign.sleep(seconds)
        if not _is_to_come(campaign, host):
            raise _LeftToItsStepsError(f"{host} does not wait any more")

    if not _is_to_come(campaign, host):
        return None
    try:
        return _stage(replace(campaign, sleep=sleep), host)
    except _LeftToItsStepsError as exc:
        log.info("%s: its own steps stage what lacks", exc)
        return None


def _is_to_come(campaign: CampaignContext, host: str) -> bool:
    """Tell whether a node still waits, and its turn may come before the window ends."""
    end = campaign.plan.window_end
    if end is not None and campaign.clock() >= end:
        return False
    try:
        return campaign.run.progress(host).state is NodeState.WAITING
    except EscalatorError as exc:
        log.warning("%s is left to its precheck: %s", host, exc)
        return False


def _stage(campaign: CampaignContext, host: str) -> str | None:
    version = campaign.plan.target_version
    try:
        campaign.mechanism.stage(campaign.node_job(host, "stage", within=STAGE_WITHIN))
    except _LeftToItsStepsError:
        raise
    except EscalatorError as exc:
        log.error("%s: %s is not staged: %s", host, version, exc)  # noqa: TRY400
        return str(exc)
    log.info("%s: %s is staged", host, version)
    return None
