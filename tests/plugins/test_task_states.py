from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.conftest import context

from escalator.model.campaign import Step

pytestmark = pytest.mark.airflow


@pytest.fixture
def module(airflow_home: Path) -> Any:
    assert airflow_home
    from escalator_airflow import task_states

    return task_states


def test_the_steps_of_one_node_are_read_from_the_run_of_the_task(module: Any) -> None:
    asked: list[dict[str, Any]] = []

    def answer(**query: Any) -> dict[str, dict[str, str | None]]:
        asked.append(query)
        return {"run-1": {"node-01.migrate": "failed", "node-01.upgrade": "skipped", "node-01.verify": None}}

    states = module.read_step_states(context(get_task_states=answer), "node-01.release")
    assert states == {Step.MIGRATE: "failed", Step.UPGRADE: "skipped"}
    assert asked == [
        {
            "dag_id": "upgrade__lab__cell1-az1-general",
            "run_ids": ["run-1"],
            "task_ids": [f"node-01.{step}" for step in Step],
        }
    ]


def test_an_airflow_that_does_not_say_fails_nothing(module: Any, caplog: pytest.LogCaptureFixture) -> None:
    def answer(**_: Any) -> None:
        raise RuntimeError("API_SERVER_ERROR")

    with caplog.at_level(logging.WARNING):
        assert module.read_task_states(context(get_task_states=answer)) == {}
    assert "API_SERVER_ERROR" in caplog.text
