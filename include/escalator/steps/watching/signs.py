"""What those that watch the cloud say before a node goes; who does not answer speaks against it."""

from __future__ import annotations

from escalator.ledger.records import Document
from escalator.model.alerts import AtStart
from escalator.model.errors import EscalatorError
from escalator.model.verdict import Code
from escalator.model.watchers import Recovery, StopSign
from escalator.model.wording import name_some
from escalator.steps.running.context import CampaignContext


def find_stop_signs(campaign: CampaignContext) -> tuple[StopSign, ...]:
    """Ask those that watch the cloud whether something speaks against another node out of service.

    Three calls where the cloud has Masakari, one for each line of a gate of alerts, elsewhere none.
    """
    return (*_find_recoveries(campaign), *_find_alerts(campaign))


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


def _find_alerts(campaign: CampaignContext) -> tuple[StopSign, ...]:
    """Find the alerts of the gate that did not fire when the campaign began."""
    if campaign.alerts is None or not campaign.alerts.settings.gate:
        return ()
    try:
        firing = campaign.alerts.find_firing()
    except EscalatorError as exc:
        return (StopSign(code=Code.WATCHER_SILENT, message=f"nobody says which alerts fire: {exc}"),)
    known = read_baseline(campaign)
    new = [str(alert) for alert in firing if alert.fingerprint not in known]
    if not new:
        return ()
    message = (
        f"{name_some(new)} fires since the campaign began: no further node goes out until it is resolved, or "
        "silenced by somebody who knows why"
    )
    return (StopSign(code=Code.ALERTS, message=message),)


def record_baseline(campaign: CampaignContext) -> None:
    """Keep which alerts of the gate fire as the campaign begins; a second run keeps what the first one did.

    :raises EscalatorError: they cannot be read.
    """
    alerts, run = campaign.alerts, campaign.run
    if alerts is None or not alerts.settings.gate or run.document(Document.ALERTS) is not None:
        return
    accepted = alerts.find_firing() if alerts.settings.at_start is AtStart.ACCEPT else ()
    named = {alert.fingerprint: str(alert) for alert in accepted}
    run.set_document(Document.ALERTS, {"schema_version": 1, "baseline": named})


def read_baseline(campaign: CampaignContext) -> frozenset[str]:
    """Return the fingerprints of the alerts that fired as the campaign began, and were accepted."""
    found = campaign.run.document(Document.ALERTS) or {}
    return frozenset(found.get("baseline", {}))
