from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow


@pytest.fixture
def made(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    assert airflow_home
    from airflow.models.pool import Pool

    calls: list[Any] = []
    monkeypatch.setattr(
        Pool, "create_or_update_pool", lambda name, **fields: calls.append((name, fields)), raising=True
    )
    return calls


def test_a_job_of_airflows_makes_the_pool_of_one_slot(made: list[Any]) -> None:
    from airflow.jobs.job import Job

    from escalator_airflow import pools

    pools.on_starting(Job.__new__(Job))  # Airflow hands it over before it knows its own kind
    ((name, fields),) = made
    assert name == "escalator_admission"
    assert (fields["slots"], fields["include_deferred"]) == (1, False)


def test_what_is_no_job_makes_none(made: list[Any]) -> None:
    from airflow.sdk.execution_time.task_runner import TaskRunnerMarker

    from escalator_airflow import pools

    pools.on_starting(TaskRunnerMarker())
    pools.on_starting(object())
    assert made == []


def test_the_plugin_registers_the_listener_and_the_timetable(airflow_home: Path) -> None:
    assert airflow_home
    import escalator_plugin
    from escalator_airflow import pools, preload, start_line
    from escalator_airflow.timetables.maintenance_window import MaintenanceWindow

    assert escalator_plugin.EscalatorPlugin.listeners == [pools, preload, start_line]
    assert escalator_plugin.EscalatorPlugin.timetables == [MaintenanceWindow]
    assert escalator_plugin.EscalatorPlugin.name == "escalator"
