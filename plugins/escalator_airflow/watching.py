"""The look at the cloud that all waiting nodes of a campaign share."""

from __future__ import annotations

import time

from escalator.model.campaign import NodeProgress
from escalator.model.cloud import ComputeService
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.steps.admit import decide_now
from escalator_airflow.campaigns import open_campaign

FULL_LOOK_SECONDS = 15.0
"""A full snapshot is taken at least this often, although nothing seems to have changed."""


class Watcher:
    """Looks at one campaign: one cheap call each time, a whole snapshot when something changed.

    :param dag_id: the campaign.
    :param run_id: its run.
    """

    def __init__(self, dag_id: str, run_id: str) -> None:
        self._campaign = open_campaign(dag_id, run_id)
        self._seen: object = None
        self._taken = float("-inf")
        self._decisions: dict[str, AdmissionDecision] = {}

    def look(self, asking: frozenset[str]) -> dict[str, AdmissionDecision]:
        """Return the current decision about every node of the campaign, and record why nodes wait.

        :param asking: hosts whose triggers wait in this process.
        """
        campaign = self._campaign
        progress = campaign.run.nodes()
        seen = (_signs(campaign.cloud.fetch_services()), _stages(progress), asking)
        now = time.monotonic()
        if seen != self._seen or now - self._taken > FULL_LOOK_SECONDS:
            _, self._decisions = decide_now(campaign, asking=asking)
            self._seen, self._taken = seen, now
            waiting = {h: d for h, d in self._decisions.items() if d.admission is Admission.WAIT}
            campaign.run.note_waiting(waiting, campaign.clock())
        return self._decisions


def _signs(services: tuple[ComputeService, ...]) -> frozenset[tuple[str, str, str, str | None]]:
    return frozenset((s.host, s.state, s.status, s.disabled_reason) for s in services)


def _stages(progress: tuple[NodeProgress, ...]) -> frozenset[tuple[str, str]]:
    return frozenset((node.host, node.state) for node in progress)
