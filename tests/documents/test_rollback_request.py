from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.builders import make_plan

from escalator.documents.requests import KEYS, parse_rollback
from escalator.documents.rollback_request import make_rollback_conf
from escalator.model.approval import Approval
from escalator.model.campaign import CampaignRequest, OnBlocked, OnInterruption, OnSlowMove, UpgradeMode
from escalator.model.failed_nodes import OnFailedNode

HOSTS = ("a", "b", "c")
UNUSUAL: dict[str, Any] = {
    "hosts": HOSTS,
    "max_parallel": 2,
    "max_failed_nodes": 3,
    "migration_timeout_seconds": 60,
    "mode": UpgradeMode.NON_SMOOTH,
    "spill": 0.5,
    "on_interruption": OnInterruption.STOP,
    "move_standbys": False,
    "migration_timeout_seconds_per_gib": 1.5,
    "on_slow_move": OnSlowMove.FORCE_COMPLETE,
    "soak_seconds": 7,
    "canary_move_seconds": 8,
    "approval": Approval.EVERY_NODE,
    "on_failed_node": OnFailedNode.ROLLBACK_CAMPAIGN,
    "window_end": datetime(2026, 11, 29, tzinfo=UTC),
}


def asked_back(request: CampaignRequest) -> tuple[CampaignRequest, str | None]:
    conf = make_rollback_conf(request, "run-1", ("b", "a"))
    return parse_rollback(conf, cloud="lab", domain=request.domain, known_hosts=HOSTS)


@pytest.mark.parametrize("more", [{}, {"max_failed_nodes": 0, "max_failed_percent": 10}])
def test_the_rollback_goes_about_its_nodes_as_the_run_did(more: dict[str, Any]) -> None:
    request = make_plan(*HOSTS, **UNUSUAL | more).request
    back, run_id = asked_back(request)
    assert run_id == "run-1"
    assert back == replace(
        request,
        bundle="",
        hosts=("b", "a"),
        on_blocked=OnBlocked.SKIP,
        window_end=None,
        on_failed_node=None,
    )


def test_every_key_of_a_request_was_thought_of() -> None:
    conf = make_rollback_conf(make_plan(*HOSTS).request, "run-1", HOSTS)
    assert set(KEYS) - set(conf) == {
        "allow_downgrade",
        "ask_before_one_way",
        "bundle",
        "dry_run",
        "on_failed_node",
        "window_end",
    }
