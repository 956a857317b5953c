"""The check of a real cloud through Airflow: it says what it saw, leaves its report, and writes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.campaigns.harness import Harness

pytestmark = [pytest.mark.lab, pytest.mark.stack]
CHECK = "check__lab"
TASK = "check_conditions"


def checked(harness: Harness, **conf: Any) -> tuple[str, str, dict[str, Any] | None]:
    """Run the check.

    :return: how it ended, its log, and the report, if it left one.
    """
    run = harness.client.trigger(CHECK, {"bundle": "nova-34", **conf})
    ended = harness.client.wait(CHECK, run.run_id, timeout_seconds=600)
    task = harness.client.get_task_instance(CHECK, run.run_id, TASK)
    log = harness.client.task_log(CHECK, run.run_id, TASK, try_number=max(1, task.try_number))
    (path, *_) = [*harness.world.report_dir.glob(f"{CHECK}/*/check.json"), None]
    document = json.loads(path.read_text()) if path is not None else None
    return str(ended.state), log, document


def test_a_cloud_that_is_well_meets_the_conditions_and_is_not_written_to(harness: Harness) -> None:
    harness.fresh(4)
    before = harness.services()
    state, log, report = checked(harness, max_parallel=2)
    assert state == "success"
    assert "MET: 0 conditions block" in log
    assert report is not None
    assert (report["schema"], report["met"]) == ("escalator.check/1", True)
    assert {"nodes_reachable", "system_normal", "capacity"} <= {c["code"] for c in report["conditions"]}
    assert {h: s.disabled_reason for h, s in harness.services().items()} == {
        h: s.disabled_reason for h, s in before.items()
    }


def test_what_is_in_the_way_makes_the_check_red(harness: Harness) -> None:
    harness.fresh(4)
    state, log, _ = checked(harness, hosts=["node-99"])
    assert state == "failed"
    assert "Refused, nothing was looked at" in log
    assert "node-99" in log


def test_the_way_back_of_nodes_that_were_not_upgraded_needs_nothing(harness: Harness) -> None:
    harness.fresh(4)
    state, log, _ = checked(harness, rollback=True)
    assert state == "success"
    assert "MET" in log
