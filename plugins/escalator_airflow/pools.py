"""The pool at the door: one slot, made when Airflow starts, never by hand."""

from __future__ import annotations

from airflow.listeners import hookimpl

ADMISSION_POOL = "escalator_admission"
DESCRIPTION = "One node asks for admission at a time. Made by Escalator; one slot, or the rule is broken."


@hookimpl
def on_starting(component: object) -> None:
    """Make the admission pool, or set it back to one slot, when a scheduler or another job starts.

    Airflow's jobs have its database; a job does not know its own kind yet when this is called.
    Tasks call it too, with something that is no job.
    """
    if type(component).__name__ != "Job":
        return
    from airflow.models.pool import Pool  # noqa: PLC0415  the database is there in a job only

    Pool.create_or_update_pool(ADMISSION_POOL, slots=1, description=DESCRIPTION, include_deferred=False)
