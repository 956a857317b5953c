"""What those that watch the cloud say before a node goes; who does not answer speaks against it."""

from __future__ import annotations

from escalator.model.errors import EscalatorError
from escalator.model.verdict import Code
from escalator.model.watchers import Recovery, StopSign
from escalator.steps.running.context import CampaignContext


def find_stop_signs(campaign: CampaignContext) -> tuple[StopSign, ...]:
    """Ask those that watch the cloud whether something speaks against another node out of service.

    Three calls where the cloud has Masakari, elsewhere none.
    """
    return _find_recoveries(campaign)


def _find_recoveries(campaign: CampaignContext) -> tuple[StopSign, ...]:
    masakari = campaign.cloud.instance_ha
    try:
        recoveries = masakari.fetch_recoveries() if masakari.exists() else ()
    except EscalatorError as exc:
        message = f"Masakari does not say whether it recovers a node: {exc}"
        return (StopSign(code=Code.WATCHER_SILENT, message=message),)
    return tuple(map(_of_recovery, recoveries))


def _of_recovery(recovery: Recovery) -> StopSign:
    message = f"Masakari is at work in the node's segment: {recovery}; no further node goes out until it ends"
    return StopSign(code=Code.RECOVERY_RUNS, message=message, hosts=recovery.hosts)
