from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.conftest import context

from escalator.model.run_life import RunLife

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize(
    ("runs", "life"),
    [
        ({"run-9": "running"}, RunLife.RUNNING),
        ({"run-9": "queued"}, RunLife.RUNNING),
        ({"run-9": "failed"}, RunLife.FINISHED),
        ({"run-9": "success"}, RunLife.FINISHED),
        ({"run-1": "running"}, RunLife.DELETED),
    ],
)
def test_airflow_says_how_a_run_stands(airflow_home: Path, runs: dict[str, str], life: RunLife) -> None:
    assert airflow_home
    from escalator_airflow.run_life import find_run_life

    def count(*, dag_id: str, run_ids: list[str], states: list[str] | None = None) -> int:
        assert dag_id == "d"
        return sum(run in run_ids and (states is None or state in states) for run, state in runs.items())

    assert find_run_life(context(get_dr_count=count), "d", "run-9") is life


def test_a_run_that_airflow_says_nothing_of_may_live(
    airflow_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert airflow_home
    from escalator_airflow.run_life import find_run_life

    def count(**_: Any) -> int:
        raise RuntimeError("API_SERVER_ERROR")

    with caplog.at_level(logging.WARNING):
        life = find_run_life(context(get_dr_count=count), "d", "run-9")
    assert life is RunLife.NOT_ASKED
    assert not life.is_over
    assert "API_SERVER_ERROR" in caplog.text
