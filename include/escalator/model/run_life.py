"""Whether the run of a campaign still lives, as far as it is known."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class RunLife(StrEnum):
    """What Airflow says of a run; nobody may act for a run that lives, or may live."""

    RUNNING = "running"
    FINISHED = "finished"
    DELETED = "deleted"
    NOT_ASKED = "not asked"

    @property
    def is_over(self) -> bool:
        """Tell whether nothing of the run goes on: known, not guessed."""
        return self in {RunLife.FINISHED, RunLife.DELETED}


FindLife = Callable[[str, str], RunLife]
"""From DAG id, which is that of the campaign, and run id to whether the run lives."""


def ask_nobody(_dag_id: str, _run_id: str) -> RunLife:
    """Know of no run whether it lives."""
    return RunLife.NOT_ASKED
