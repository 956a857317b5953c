"""What is done already of a bundle that brings nothing: its nodes do not say a version that tells it.

The ledger says which nodes went through it, and a node's boot whether a reboot is still to come. Without
that, such a bundle would come to no end: every maintenance window would begin with all nodes again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from escalator.documents.bundles import parse_bundle
from escalator.ledger.released import Released
from escalator.model.boot import Boot
from escalator.model.bundle import Bundle, RebootPolicy
from escalator.model.errors import InvalidRequestError
from escalator.steps.running.context import CampaignContext
from escalator.upgrade_manager.state.boots import find_reboot_doubts, find_reboot_reasons


def find_done_before(campaign: CampaignContext, hosts: Iterable[str]) -> frozenset[str]:
    """Return the nodes that a run of the very same bundle has verified and given back.

    :return: none for a bundle that brings software: its nodes say themselves what they run.
    """
    if campaign.mechanism.brings_software:
        return frozenset()
    return frozenset(hosts) & frozenset().union(*(run.hosts for run in _list_runs(campaign)))


def find_rebooted(campaign: CampaignContext, boots: Mapping[str, tuple[datetime, Boot]]) -> frozenset[str]:
    """Return the nodes on which a bundle that only reboots finds nothing left to do, by their boots.

    :param boots: of nodes, each with a time before it was read; with its signs where the bundle reboots what
        asks for it.
    """
    if not campaign.bundle.only_reboots:
        return frozenset()
    quiet: frozenset[str] = frozenset()
    if campaign.bundle.reboot is RebootPolicy.IF_REQUIRED:
        signs = {host: boot.signs for host, (_, boot) in boots.items() if boot.signs is not None}
        boots = {host: boots[host] for host, found in signs.items() if not find_reboot_reasons(found)}
        quiet = frozenset(host for host in boots if not find_reboot_doubts(signs[host]))
    opened = _find_opened(campaign)
    since = {h for h, (asked_at, boot) in boots.items() if _is_since(boot.began(asked_at), opened)}
    return quiet | since


def find_boot_since(campaign: CampaignContext, boot: Boot, asked_at: datetime) -> datetime | None:
    """Return when a boot began that counts as the reboot which the bundle wants; None: it does not count.

    That is one since the first run of the very same bundle was opened, whoever ordered it; but only where
    nothing is brought before the reboot, and nothing asks for one for sure: who does not know whether to
    ask is rebooted once, not in every window.

    :param asked_at: a time before the boot was read: what began in between counts as before.
    """
    bundle, began = campaign.bundle, boot.began(asked_at)
    if not bundle.only_reboots or (boot.signs is not None and find_reboot_reasons(boot.signs)):
        return None
    return began if _is_since(began, _find_opened(campaign)) else None


def _find_opened(campaign: CampaignContext) -> datetime | None:
    """Return when the first run of the very same bundle was opened, dry runs aside."""
    return min((run.opened_at for run in _list_runs(campaign) if run.opened_at), default=None)


def _list_runs(campaign: CampaignContext) -> tuple[Released, ...]:
    """Return the runs of the very same bundle: of that name, and what was brought was the same."""
    request = campaign.plan.request
    runs = campaign.run.released(cloud=request.cloud, bundle=request.bundle)
    return tuple(run for run in runs if _reads_as(run.document, campaign.bundle))


def _is_since(began: datetime, opened: datetime | None) -> bool:
    return opened is not None and began >= opened


def _reads_as(document: object, bundle: Bundle) -> bool:
    try:
        return parse_bundle(document) == bundle
    except InvalidRequestError:
        return False
