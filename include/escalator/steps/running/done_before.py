"""What earlier runs did of a bundle that brings nothing: no node can say it, the ledger can.

Without that, such a bundle would come to no end: every maintenance window would begin with all nodes again.
"""

from __future__ import annotations

from collections.abc import Iterable

from escalator.documents.bundles import parse_bundle
from escalator.model.bundle import Bundle
from escalator.model.errors import InvalidRequestError
from escalator.steps.running.context import CampaignContext


def find_done_before(campaign: CampaignContext, hosts: Iterable[str]) -> frozenset[str]:
    """Return the nodes that a run of the very same bundle has verified and given back.

    :return: none for a bundle that brings software: its nodes say themselves what they run.
    """
    if campaign.mechanism.brings_software:
        return frozenset()
    request = campaign.plan.request
    released = campaign.run.released(cloud=request.cloud, bundle=request.bundle)
    done = (nodes for document, nodes in released if _reads_as(document, campaign.bundle))
    return frozenset(hosts).intersection(frozenset().union(*done))


def _reads_as(document: object, bundle: Bundle) -> bool:
    try:
        return parse_bundle(document) == bundle
    except InvalidRequestError:
        return False
