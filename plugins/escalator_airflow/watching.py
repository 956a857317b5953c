"""The look at the cloud that all waiting nodes of a campaign share, and the campaigns of one cloud."""

from __future__ import annotations

import time
from dataclasses import replace

from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.cloud import ComputeService
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.errors import EscalatorError
from escalator.steps.admit import decide_now
from escalator.steps.running.context import CampaignContext
from escalator_airflow.campaigns import open_campaign
from escalator_airflow.shared_clouds import close_shared_cloud, follow_shared_cloud, start_refresh

SERVICES_PAUSE = (2.0, 20.0)
"""Bounds of the pause between two lists of the services, in which leases are (s)."""
LOOK_PAUSE = (15.0, 120.0)
"""Bounds of the pause between two looks at the whole cloud although nothing seems to have changed (s)."""
LARGE_LOOK_PAUSE = (45.0, 120.0)
"""The same, of a cloud whose servers are too many to be listed each time: ten calls a minute are enough."""
PAUSE_OF_COST = 30.0
"""A pause is so many times as long as what it follows took: looking takes a thirtieth of the time."""


class Watcher:
    """Looks at one campaign: the ledger each time, the cloud as often as its answers are quick.

    A change in the ledger is followed by a look at once; one in the cloud is seen by its services. What a
    person ordered is heeded with the next look, and costs the cloud nothing.

    :param dag_id: the campaign.
    :param run_id: its run.
    """

    def __init__(self, dag_id: str, run_id: str) -> None:
        self._campaign = open_campaign(dag_id, run_id, shared_cloud=True)
        self._signs: object = None
        self._stages: object = None
        self._orders: object = None
        self._asking: frozenset[str] = frozenset()
        self._taken = float("-inf")
        self._decisions: dict[str, AdmissionDecision] = {}
        self._let_go: dict[str, object] = {}

    def look(self, asking: frozenset[str]) -> dict[str, AdmissionDecision]:
        """Return the current decision about every node of the campaign, and record why nodes wait.

        :param asking: hosts whose triggers wait in this process.
        """
        try:
            return self._look(asking)
        except EscalatorError:
            close_shared_cloud(self._campaign.inventory.cloud_conn_id, self._campaign.cloud)
            raise

    def _look(self, asking: frozenset[str]) -> dict[str, AdmissionDecision]:
        campaign = self._share_cloud()
        cost = campaign.cloud.watch_cost
        within = find_pause(cost.services_seconds, SERVICES_PAUSE)
        services = campaign.cloud.watch_services(within)
        nodes = campaign.run.nodes()
        signs, stages, words = _signs(services.found), _stages(nodes), _words(nodes)
        orders = campaign.run.orders().read()
        ordered = orders != self._orders  # decided anew by the cloud as it is known
        now = time.monotonic()
        pause = find_pause(cost.look_seconds, LARGE_LOOK_PAUSE if cost.large else LOOK_PAUSE)
        within = pause  # who comes to the door changes nothing in the cloud
        if stages != self._stages or any(words.get(h, told) != told for h, told in self._let_go.items()):
            within = 0.0  # one that was let go was told at the door to wait: the look was out of date
        elif signs != self._signs:
            within = now - services.begun
        if within < pause or ordered or asking != self._asking or now - self._taken > pause:
            _, self._decisions = decide_now(campaign, asking=asking, watched_within=within)
            self._signs, self._stages, self._orders = signs, stages, orders
            self._asking, self._taken = asking, now
            self._let_go = {h: w for h, w in words.items() if _may_go(self._decisions.get(h))}
            waiting = {h: d for h, d in self._decisions.items() if d.admission is Admission.WAIT}
            campaign.run.note_waiting(waiting, campaign.clock())
            start_refresh(campaign.inventory.cloud_conn_id, campaign.cloud)
        return self._decisions

    def _share_cloud(self) -> CampaignContext:
        """Return the campaign with the cloud that all share now: who comes late, or failed, opens another."""
        own = self._campaign.cloud
        cloud = follow_shared_cloud(self._campaign.inventory.cloud_conn_id, own)
        if cloud is not own:
            self._campaign = replace(self._campaign, cloud=cloud)
        return self._campaign


def find_pause(cost_seconds: float, bounds: tuple[float, float]) -> float:
    """Return how long to leave a cloud alone after what took it so long."""
    least, most = bounds
    return min(most, max(least, PAUSE_OF_COST * cost_seconds))


def _signs(services: tuple[ComputeService, ...]) -> frozenset[tuple[str, str, str, str | None]]:
    return frozenset((s.host, s.state, s.status, s.disabled_reason) for s in services)


def _stages(progress: tuple[NodeProgress, ...]) -> frozenset[tuple[str, str]]:
    """Return where nodes stand, as far as others wait for it: how far one that is out got is all the same."""
    return frozenset((n.host, NodeState.ADMITTED if n.state.under_way else n.state) for n in progress)


def _words(progress: tuple[NodeProgress, ...]) -> dict[str, object]:
    """Return what is recorded of the nodes that wait, by host."""
    return {n.host: (n.code, n.message) for n in progress if n.state is NodeState.WAITING}


def _may_go(decision: AdmissionDecision | None) -> bool:
    return decision is not None and decision.admission is Admission.ADMIT
