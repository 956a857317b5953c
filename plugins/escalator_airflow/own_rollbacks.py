"""Starting the rollback of a campaign from its own last task, as Airflow's TriggerDagRunOperator does."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from escalator.model.failed_nodes import OwnRollback

log = logging.getLogger(__name__)
AGAIN = "then clear conclude, or start the rollback by hand"


def start_run(context: Mapping[str, Any], rollback: OwnRollback, conf: Mapping[str, Any]) -> str:
    """Have the task's supervisor ask Airflow for the run; one that is there already counts as started.

    :return: why it is not started, with what to do; empty: it is.
    """
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType  # noqa: PLC0415  for who starts one only
    from airflow.sdk.execution_time import comms, task_runner  # noqa: PLC0415

    message = comms.TriggerDagRun(
        dag_id=rollback.campaign,
        run_id=rollback.run_id,
        conf=dict(conf),
        logical_date=None,
        note=f"started by itself ({rollback.policy}), as nodes failed in run {conf['run_id']}",
    )
    try:
        if context["ti"].get_dag(rollback.campaign).is_paused:
            return f"the DAG {rollback.campaign} is paused -> unpause it, {AGAIN}"
        answer = task_runner.SUPERVISOR_COMMS.send(msg=message)
    except AirflowRuntimeError as exc:
        return f"Airflow refuses it: {exc} -> see whether the DAG {rollback.campaign} is there, {AGAIN}"
    except Exception as exc:  # whatever it is, the report says that nobody takes the nodes back
        log.exception("the rollback %s is not started", rollback)
        return f"Airflow does not answer: {type(exc).__name__} -> {AGAIN}"
    error = getattr(answer, "error", None)
    if error in {None, ErrorType.DAGRUN_ALREADY_EXISTS}:
        return ""
    return f"Airflow refuses it: {error} -> see whether the DAG {rollback.campaign} is there, {AGAIN}"
