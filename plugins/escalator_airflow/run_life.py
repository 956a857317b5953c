"""Whether another run still lives: a task has no database, its supervisor asks for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from escalator.model.run_life import RunLife

log = logging.getLogger(__name__)


def find_run_life(context: Mapping[str, Any], dag_id: str, run_id: str) -> RunLife:
    """Ask Airflow how a run stands; a run that it does not say anything about may live."""
    count = context["ti"].get_dr_count
    try:
        if count(dag_id=dag_id, run_ids=[run_id], states=["queued", "running"]):
            return RunLife.RUNNING
        return RunLife.FINISHED if count(dag_id=dag_id, run_ids=[run_id]) else RunLife.DELETED
    except Exception as exc:  # noqa: BLE001  whatever it is: the answer is not known
        log.warning("Airflow does not say whether run %s of %s lives: %s", run_id, dag_id, exc)
        return RunLife.NOT_ASKED
