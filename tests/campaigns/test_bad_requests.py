"""Bad input over REST: refused with one clear message before any write to the cloud."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.airflow_client.errors import RequestRefusedError
from tests.campaigns.harness import DAG_ID, Harness

pytestmark = [pytest.mark.lab, pytest.mark.stack]


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"bundle": "no-such-bundle"}, "bundle"),
        ({"max_parallel": 0}, "max_parallel"),
        ({"max_parallel": 4}, "max_parallel"),
        ({"hosts": "node-01"}, "hosts"),
        ({"window_end": "tomorrow"}, "window_end"),
    ],
)
def test_what_the_form_forbids_is_refused_with_400(harness: Harness, conf: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        harness.client.trigger(DAG_ID, {"bundle": "nova-34", **conf})
    assert said in str(refused.value)


@pytest.mark.parametrize("conf", [{}, {"bundle": None}, {"hosts": ["node-01"]}])
def test_without_a_bundle_nothing_starts(harness: Harness, conf: dict[str, Any]) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        harness.client.trigger(DAG_ID, conf)
    assert "bundle" in str(refused.value)


REFUSED = {
    "max_parallel": {"max_paralel": 2},
    "node-99": {"hosts": ["node-01", "node-99"]},
    "node-01": {"hosts": ["node-01", "node-01"]},
    "unreadable": {"bundle": "unreadable"},
    "window_end": {"window_end": "2020-01-01T00:00:00Z"},
}
"""What is said of a request -> the request."""


@pytest.fixture(scope="module")
def refused(harness: Harness) -> dict[str, Any]:
    before = harness.services()
    runs = {said: harness.trigger(**conf) for said, conf in REFUSED.items()}
    states = {said: harness.wait(run) for said, run in runs.items()}
    return {"before": before, "runs": runs, "states": states, "after": harness.services()}


@pytest.mark.parametrize("said", list(REFUSED))
def test_what_only_the_first_task_can_see_is_refused_there(
    harness: Harness, refused: dict[str, Any], said: str
) -> None:
    assert refused["states"][said] == "failed"
    states = harness.states(refused["runs"][said])
    assert states["check_conditions"] == "failed"
    assert {s for t, s in states.items() if t.endswith(".admit")} == {"upstream_failed"}
    log = harness.log(refused["runs"][said], "check_conditions")
    assert "Refused, nothing was changed" in log
    assert said in log
    assert {h: s.disabled_reason for h, s in refused["after"].items()} == {
        h: s.disabled_reason for h, s in refused["before"].items()
    }


def test_a_dry_run_writes_nothing(harness: Harness) -> None:
    harness.fresh(4)
    run = harness.trigger(dry_run=True)
    assert harness.wait(run) == "success", harness.states(run)
    assert {s for t, s in harness.states(run).items() if t.endswith(".admit")} == {"skipped"}
    assert {s.status for s in harness.services().values()} == {"enabled"}
    assert harness.report(run)["outcome"] == "dry-run"
