"""The request of a rollback that a campaign starts by itself: what the campaign was asked, turned around."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from escalator.model.campaign import CampaignRequest, OnBlocked


def make_rollback_conf(request: CampaignRequest, run_id: str, hosts: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of the rollback of a run, as the form of its DAG names them.

    It goes about the nodes as the run did. Nobody is there to take an odd node off the list, so a blocked one
    is left out; and no window ends it: nodes that wait for it are out of service, or run what has failed.

    :param request: of the run that is taken back, as its plan has it.
    :param hosts: the nodes that go back.
    """
    percent = request.max_failed_percent
    return {
        "run_id": run_id,
        "hosts": list(hosts),
        "mode": str(request.mode),
        "max_parallel": request.max_parallel,
        "max_failed_nodes": request.max_failed_nodes if percent is None else f"{percent}%",
        "soak_seconds": request.soak_seconds,
        "canary_move_seconds": request.canary_move_seconds,
        "approval": str(request.approval),
        "migration_timeout_seconds": request.migration_timeout_seconds,
        "migration_timeout_seconds_per_gib": request.migration_timeout_seconds_per_gib,
        "on_slow_move": str(request.on_slow_move),
        "spill": request.spill,
        "move_standbys": request.move_standbys,
        "on_interruption": str(request.on_interruption),
        "on_blocked": str(OnBlocked.SKIP),
    }
