"""How Airflow shows the other tasks of a task's run: a task has no database, its supervisor asks for it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from escalator.model.campaign import Step
from escalator_airflow.campaigns import run_of

log = logging.getLogger(__name__)

FAILED = frozenset({"failed", "upstream_failed"})
ENDED = FAILED | {"success", "skipped"}


def read_task_states(context: Mapping[str, Any], task_ids: Iterable[str] | None = None) -> dict[str, str]:
    """Read the states of the run's tasks, or of some of them; tasks that have no state yet are left out.

    They only tell more of what is known anyway: none are returned when Airflow does not say.
    """
    states = ask_task_states(context, *run_of(context), task_ids)
    return {task: state for task, state in states.items() if state is not None}


def ask_task_states(
    context: Mapping[str, Any], dag_id: str, run_id: str, task_ids: Iterable[str] | None = None
) -> dict[str, str | None]:
    """Ask how the tasks of any run stand; None: not begun. None are returned when Airflow does not say."""
    try:
        answer = context["ti"].get_task_states(
            dag_id=dag_id, run_ids=[run_id], task_ids=None if task_ids is None else list(task_ids)
        )
        return {task: None if state is None else str(state) for task, state in answer.get(run_id, {}).items()}
    except Exception as exc:  # noqa: BLE001  an answer that is not needed must not fail a task
        log.warning("Airflow does not say how the tasks of run %s of %s stand: %s", run_id, dag_id, exc)
        return {}


def read_step_states(context: Mapping[str, Any], task_id: str) -> dict[Step, str]:
    """Read the states of the steps of one node, by one of its tasks."""
    group = task_id.rpartition(".")[0]
    names = {f"{group}.{step}": step for step in Step}
    return {names[task]: state for task, state in read_task_states(context, names).items() if task in names}
