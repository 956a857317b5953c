"""Whether the run of a campaign still lives, as far as it is known."""

from __future__ import annotations

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
